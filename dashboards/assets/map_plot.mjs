/* A map as a Plotly WebGL scatter of raw columns, with an overlay above it. */

import { element, legend, paint } from "./map_colours.mjs";
import { Overlay } from "./map_overlay.mjs";

const SVG_MOST = 20000; // points drawn where there is no WebGL
export const REACH = 9; // pixels within which a point is hit
/* Of a picture and of a prompt. Prompts lie among the pictures that they describe and must not hide them. */
const OPACITY = [0.9, 0.5], SIZE = [1, 0.75];

const scheme = () =>
    document.documentElement.getAttribute("data-mantine-color-scheme") === "dark" ? "dark" : "light";

const hasWebGL = () => {
    const probe = document.createElement("canvas").getContext("webgl");
    probe?.getExtension("WEBGL_lose_context")?.loseContext();
    return Boolean(probe);
};

export class MapPlot {
    /* `onSelect(rows)` gets the selected rows, or null. */
    constructor(host, data, onSelect) {
        Object.assign(this, { host, data, onSelect, tool: "pan", hover: null, focus: null });
        Object.assign(this, { selected: null, polygon: null, marked: null, turn: 0, crossed: false });
        this.options = { images: true, prompts: true, thumbnails: true };
        this.rows = [0, 1].map((kind) => indices(data.kinds, kind));
        this.shown = (row) => (data.kinds[row] ? this.options.prompts : this.options.images);
        this.gl = hasWebGL();
        this.div = element("div", "map-canvas");
        this.notice = element("div", "map-notice");
        this.notice.hidden = true;
        host.append(this.div);
        this.overlay = new Overlay(host);
        host.append(this.notice);
    }

    async start() {
        this.column = await this.data.column(Number(this.host.dataset.column));
        this.repaint();
        await this.plot();
        new ResizeObserver(() => this.resize()).observe(this.host);
        new MutationObserver(() => this.repaint()).observe(document.documentElement, {
            attributeFilter: ["data-mantine-color-scheme"],
        });
        if (this.options.thumbnails) this.loadAtlas();
        if (!this.gl) this.notify(this.withoutWebGL(), { mild: true });
    }

    /* Drawing */

    /* The rows of a kind that are drawn as points: all, or without WebGL an even sample of a large map. */
    drawn(kind) {
        const step = this.gl ? 1 : Math.ceil(this.data.n / SVG_MOST);
        return step > 1 ? this.rows[kind].filter((_, index) => index % step === 0) : this.rows[kind];
    }

    withoutWebGL() {
        const drawn = this.drawn(0).length + this.drawn(1).length, of = this.data.n;
        const how = drawn < of ? `${drawn.toLocaleString()} of ${of.toLocaleString()} points are drawn` : "the map is slower";
        return `No WebGL here: ${how}.`;
    }

    trace(kind) {
        const rows = this.drawn(kind);
        return {
            type: this.gl ? "scattergl" : "scatter",
            mode: "markers",
            x: Float32Array.from(rows, (row) => this.data.x[row]),
            y: Float32Array.from(rows, (row) => this.data.y[row]),
            hoverinfo: "skip",
            visible: kind ? this.options.prompts : this.options.images,
            marker: { ...this.marker(kind), symbol: kind ? "diamond" : "circle", line: { width: 0 } },
            selected: { marker: { opacity: OPACITY[kind] } },
            unselected: { marker: { opacity: OPACITY[kind] } },
        };
    }

    marker(kind) {
        const { codes, scale, low, high } = this.painted;
        return {
            color: Float32Array.from(this.drawn(kind), (row) => codes[row]),
            colorscale: scale,
            cmin: low,
            cmax: high,
            size: SIZE[kind] * (this.data.n > 60000 ? 3 : this.data.n > 12000 ? 4.5 : this.data.n > 3000 ? 6 : 8),
            opacity: OPACITY[kind],
        };
    }

    async plot() {
        const [left, right, bottom, top] = this.data.bounds;
        const padX = 0.06 * (right - left) || 1, padY = 0.06 * (top - bottom) || 1;
        const axis = { visible: false, zeroline: false, showgrid: false };
        this.fullRange = { x: [left - padX, right + padX], y: [bottom - 2 * padY, top + padY] };
        const layout = {
            margin: { l: 0, r: 0, t: 0, b: 0 },
            paper_bgcolor: "rgba(0,0,0,0)",
            plot_bgcolor: "rgba(0,0,0,0)",
            xaxis: { ...axis, range: this.fullRange.x.slice() },
            yaxis: { ...axis, range: this.fullRange.y.slice(), scaleanchor: "x" },
            dragmode: this.tool,
            hovermode: false,
            showlegend: false,
            newselection: { line: { width: 1.5, color: "#5b6cf0", dash: "dot" } },
        };
        const config = {
            scrollZoom: true,
            displayModeBar: false,
            doubleClick: false,
            showTips: false,
            showSendToCloud: false,
            plotlyServerURL: "",
        };
        await window.Plotly.newPlot(this.div, [this.trace(0), this.trace(1)], layout, config);
        if (this.gl && this.div.querySelector(".no-webgl")) {
            this.gl = false; // there is a WebGL context, but Plotly cannot use it
            window.Plotly.purge(this.div);
            await window.Plotly.newPlot(this.div, [this.trace(0), this.trace(1)], layout, config);
        }
        this.div.on("plotly_relayouting", () => this.redraw());
        this.div.on("plotly_relayout", () => this.redraw());
        this.div.on("plotly_afterplot", () => this.redraw());
        this.div.on("plotly_selected", (event) => this.gather(event));
        this.div.on("plotly_webglcontextlost", () => this.recover());
        this.resize();
    }

    /* The present position of the axes, from their ranges, which are right even while they are dragged. */
    get view() {
        const { xaxis, yaxis } = this.div._fullLayout;
        const [x0, x1] = xaxis.range.map(Number), [y0, y1] = yaxis.range.map(Number);
        const { _length: width, _offset: left } = xaxis, { _length: height, _offset: top } = yaxis;
        return {
            width: this.div.clientWidth,
            height: this.div.clientHeight,
            scale: width / (x1 - x0),
            toPixel: (x, y) => [left + ((x - x0) / (x1 - x0)) * width, top + (1 - (y - y0) / (y1 - y0)) * height],
            toMap: (px, py) => [x0 + ((px - left) / width) * (x1 - x0), y0 + (1 - (py - top) / height) * (y1 - y0)],
        };
    }

    redraw() {
        if (this.drawing) return;
        this.drawing = requestAnimationFrame(() => {
            this.drawing = null;
            if (!this.div._fullLayout?.xaxis?._length) return;
            this.overlay.draw({
                data: this.data,
                view: this.view,
                atlas: this.atlas,
                shown: this.shown,
                kept: this.kept,
                colourOf: this.painted.colourOf,
                mark: this.marked,
                thumbnails: this.options.thumbnails,
                scheme: scheme(),
                hover: this.hover,
                polygon: this.polygon,
                crossed: this.crossed,
            });
        });
    }

    resize() {
        const { clientWidth: width, clientHeight: height } = this.host;
        if (!width || !height) return;
        this.overlay.resize(width, height);
        window.Plotly.Plots.resize(this.div);
        this.redraw();
    }

    repaint() {
        const { values, kind } = this.column;
        const kept = this.kept = (row) =>
            (this.focus === null || kind !== "category" || values[row] === this.focus) &&
            (this.selected === null || this.selected.has(row));
        this.painted = paint(this.column, kept, scheme());
        legend(document.getElementById("map-legend"), this.column, this.painted, this.focus, (code) => {
            this.focus = code;
            this.repaint();
        });
        if (!this.div._fullLayout) return;
        const [first, second] = [this.marker(0), this.marker(1)];
        const change = { "marker.color": [first.color, second.color], "marker.colorscale": [first.colorscale, first.colorscale] };
        window.Plotly.restyle(this.div, { ...change, "marker.cmin": first.cmin, "marker.cmax": first.cmax }, [0, 1]);
        this.redraw();
    }

    async loadAtlas() {
        try {
            this.loading ??= this.data.atlas();
            this.atlas = await this.loading;
            this.redraw();
        } catch (error) {
            this.loading = null; // so that the next call asks again
            this.notify(error.message);
        }
    }

    async recover() {
        if (this.lost) return;
        this.lost = true;
        this.notify("The graphics of this page were reset and are drawn again.", { mild: true });
        window.Plotly.purge(this.div);
        this.gl = hasWebGL();
        await this.plot();
        this.lost = false;
    }

    /* `mild` is what one may know and need not mend. */
    notify(text, { mild = false } = {}) {
        this.notice.textContent = text;
        this.notice.classList.toggle("mild", mild);
        this.notice.hidden = false;
        clearTimeout(this.noticeTimer);
        this.noticeTimer = setTimeout(() => { this.notice.hidden = true; }, 6000);
    }

    /* Moving and selecting */

    drag(tool) {
        this.tool = tool;
        window.Plotly.relayout(this.div, { dragmode: tool });
    }

    showAll() {
        window.Plotly.relayout(this.div, { "xaxis.range": this.fullRange.x.slice(), "yaxis.range": this.fullRange.y.slice() });
    }

    zoom(factor) {
        const { xaxis, yaxis } = this.div._fullLayout;
        const scaled = ([low, high]) => {
            const middle = (low + high) / 2, half = ((high - low) / 2) * factor;
            return [middle - half, middle + half];
        };
        window.Plotly.relayout(this.div, { "xaxis.range": scaled(xaxis.range), "yaxis.range": scaled(yaxis.range) });
    }

    /* Move by a share of the width and the height. */
    shift(right, up) {
        const { xaxis, yaxis } = this.div._fullLayout;
        const moved = ([low, high], by) => [low + by * (high - low), high + by * (high - low)];
        window.Plotly.relayout(this.div, { "xaxis.range": moved(xaxis.range, right), "yaxis.range": moved(yaxis.range, up) });
    }

    /* What a click in the middle of the map would hit. */
    atCross() {
        const { view } = this, px = view.width / 2, py = view.height / 2, [x, y] = view.toMap(px, py);
        const thumb = this.options.thumbnails ? this.overlay.thumbAt(px, py) : -1;
        const row = thumb >= 0 ? thumb : this.data.nearest(x, y, REACH / view.scale, this.shown);
        return { x, y, row: row >= 0 ? row : null };
    }

    clearSelection() {
        this.selected = null;
        this.polygon = null;
        this.onSelect(null);
        this.repaint();
    }

    async gather(event) {
        const drawn = event?.lassoPoints;
        if (!drawn || drawn.x.length < 3) return;
        const rows = this.data.inside(drawn.x, drawn.y, this.shown);
        await window.Plotly.update(this.div, { selectedpoints: [null, null] }, { selections: [] });
        if (!rows.length) {
            this.clearSelection();
            this.notify("Nothing lies inside: draw around some points.", { mild: true });
            return;
        }
        this.selected = new Set(rows);
        this.polygon = drawn.x.map((x, i) => [x, drawn.y[i]]);
        this.repaint();
        this.onSelect(rows);
    }

    /* Messages from Dash */

    show(options) {
        Object.assign(this.options, options);
        window.Plotly.restyle(this.div, { visible: [options.images, options.prompts] }, [0, 1]);
        if (options.thumbnails) this.loadAtlas();
        this.redraw();
    }

    async colourBy(choice, text, gap) {
        const similar = choice === "similarity";
        if (similar && !text?.trim()) return;
        const turn = ++this.turn;
        try {
            const column = await (similar ? this.data.similarity(text, gap) : this.data.column(Number(choice)));
            if (turn !== this.turn) return; // another colour was chosen meanwhile
            this.column = column;
            this.focus = null;
            this.repaint();
        } catch (error) {
            if (turn === this.turn) this.notify(error.message);
        }
    }

    mark(mark) {
        if (!mark) return;
        this.marked = mark;
        const { width, height, toPixel } = this.view, [x, y] = toPixel(mark.x, mark.y);
        if (mark.follow && (x < 0 || y < 0 || x > width || y > height)) this.showAll();
        this.redraw();
    }
}

const indices = (kinds, kind) => {
    const rows = [];
    kinds.forEach((each, row) => { if (each === kind) rows.push(row); });
    return Uint32Array.from(rows);
};
