/* Colours of a map: codes or numbers per row, a Plotly colour scale for them, and the legend. */

import { span } from "./map_data.mjs";

const CATEGORIES = [
    "#5b6cf0", "#f2994a", "#2fb38a", "#e0567a", "#35a7d6", "#b07ce8", "#c9b037", "#8d6e63", "#5f8f3e", "#d9534f",
    "#3f7f93", "#e88bb5", "#7d8597", "#9bb53c", "#a4506b", "#4b5d9c", "#d08c60", "#4fc3a1",
];
const RAMP = ["#31257a", "#3f54b3", "#2d8bb5", "#2cb38d", "#8ccb57", "#f5e04d"];
const GREY = { light: "#d5d8df", dark: "#3a3e48" };

/* `codes` for marker.color, their colour scale, and the colour of each row for the overlay. */
export const paint = (column, kept, scheme) =>
    column.kind === "category" ? paintCategories(column, kept, scheme) : paintNumbers(column, kept, scheme);

const paintCategories = (column, kept, scheme) => {
    const count = column.categories.length, grey = count;
    const codes = new Float32Array(column.values.length);
    for (let row = 0; row < codes.length; row++) {
        const code = column.values[row];
        codes[row] = code < count && kept(row) ? code : grey;
    }
    const colours = [...column.categories.map((_, code) => CATEGORIES[code % CATEGORIES.length]), GREY[scheme]];
    const scale = colours.flatMap((colour, code) => [
        [code / colours.length, colour],
        [(code + 1) / colours.length, colour],
    ]);
    return { codes, scale, low: -0.5, high: count + 0.5, colourOf: (row) => colours[codes[row]], grey };
};

const paintNumbers = (column, kept, scheme) => {
    const [low, high] = span(column.values);
    // The lowest twentieth of the scale is grey: for rows without a value, or out of the selection.
    const bottom = low - (high - low) / 19;
    const codes = new Float32Array(column.values.length);
    for (let row = 0; row < codes.length; row++) {
        const value = column.values[row];
        codes[row] = Number.isFinite(value) && kept(row) ? Math.min(high, Math.max(low, value)) : bottom;
    }
    const scale = [[0, GREY[scheme]], [0.049, GREY[scheme]], ...RAMP.map((c, i) => [0.05 + (0.95 * i) / 5, c])];
    const colourOf = (row) => {
        const share = (codes[row] - low) / (high - low);
        return share < 0 ? GREY[scheme] : RAMP[Math.min(5, Math.floor(share * 6))];
    };
    return { codes, scale, low: bottom, high, colourOf, span: [low, high] };
};

/* Fill the legend: one button per category, which highlights it, or a ramp with its two ends. */
export const legend = (host, column, painted, focus, onFocus) => {
    host.replaceChildren();
    if (column.kind === "category") {
        const counts = new Map();
        for (const code of column.values) counts.set(code, (counts.get(code) || 0) + 1);
        column.categories.forEach((name, code) => {
            const button = element("button", "legend-entry" + (focus === code ? " active" : ""));
            const dot = element("i");
            dot.style.background = CATEGORIES[code % CATEGORIES.length];
            button.append(dot, element("span", "", name), element("em", "", (counts.get(code) || 0).toLocaleString()));
            button.addEventListener("click", () => onFocus(focus === code ? null : code));
            host.append(button);
        });
        return;
    }
    const ramp = element("div", "legend-ramp");
    ramp.style.background = `linear-gradient(90deg, ${RAMP.join(",")})`;
    const ends = element("div", "legend-ends");
    ends.append(...painted.span.map((value) => element("span", "", value.toPrecision(3))));
    host.append(ramp, ends);
};

export const element = (tag, className = "", text = "") => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text) made.textContent = text; // never as HTML: captions are not trusted
    return made;
};
