/* The map: a Plotly WebGL scatter in a div of our own, fed with raw columns, and everything that the pointer does. */

import { legend, paint, element } from "./map_colours.mjs";
import { MapData } from "./map_data.mjs";
import { Overlay } from "./map_overlay.mjs";

const CLICK = 5; // pixels that a pointer may move and still click
const REACH = 9; // pixels within which a point is meant
const SVG_MOST = 20000; // points drawn where there is no WebGL

const send = (id, data) => window.dash_clientside.set_props(id, { data });
const scheme = () =>
    document.documentElement.getAttribute("data-mantine-color-scheme") === "dark" ? "dark" : "light";

const hasWebGL = () => {
    const probe = document.createElement("canvas").getContext("webgl");
    probe?.getExtension("WEBGL_lose_context")?.loseContext();
    return Boolean(probe);
};

class MapPlot {
    constructor(host, data) {
        Object.assign(this, { host, data, hover: -1, focus: null, selected: null, markNow: null, polygon: null });
        this.options = { images: true, prompts: true, thumbnails: true };
        this.rows = [0, 1].map((kind) => indices(data.kinds, kind));
        this.shown = (row) => (data.kinds[row] ? this.options.prompts : this.options.images);
        this.gl = hasWebGL();
        this.div = element("div", "map-canvas");
        this.card = element("div", "hover-card");
        this.card.hidden = true;
        this.notice = element("div", "map-notice");
        this.notice.hidden = true;
        host.append(this.div);
        this.overlay = new Overlay(host);
        host.append(this.card, this.notice);
    }

    async start() {
        this.column = await this.data.column(0);
        this.repaint();
        await this.plot();
        this.listen();
        if (this.options.thumbnails) this.loadAtlas();
        if (!this.gl) this.tellOnce(`No WebGL here: up to ${SVG_MOST.toLocaleString()} points are drawn.`);
        this.host.dataset.ready = "true";
    }

    /* Drawing */

    trace(kind) {
        const rows = this.gl ? this.rows[kind] : this.rows[kind].slice(0, SVG_MOST);
        return {
            type: this.gl ? "scattergl" : "scatter",
            mode: "markers",
            x: Float32Array.from(rows, (row) => this.data.x[row]),
            y: Float32Array.from(rows, (row) => this.data.y[row]),
            hoverinfo: "skip",
            visible: kind ? this.options.prompts : this.options.images,
            marker: { ...this.marker(kind), symbol: kind ? "diamond" : "circle", line: { width: 0 } },
            selected: { marker: { opacity: 0.9 } },
            unselected: { marker: { opacity: 0.9 } },
        };
    }

    marker(kind) {
        const { codes, scale, low, high } = this.painted;
        const rows = this.gl ? this.rows[kind] : this.rows[kind].slice(0, SVG_MOST);
        return {
            color: Float32Array.from(rows, (row) => codes[row]),
            colorscale: scale,
            cmin: low,
            cmax: high,
            size: this.data.n > 60000 ? 3 : this.data.n > 12000 ? 4.5 : this.data.n > 3000 ? 6 : 8,
            opacity: 0.9,
        };
    }

    async plot() {
        const [left, right, bottom, top] = this.data.bounds;
        const padX = 0.06 * (right - left) || 1, padY = 0.06 * (top - bottom) || 1;
        const axis = { visible: false, zeroline: false, showgrid: false };
        this.home = { x: [left - padX, right + padX], y: [bottom - padY, top + padY] };
        const layout = {
            margin: { l: 0, r: 0, t: 0, b: 0 },
            paper_bgcolor: "rgba(0,0,0,0)",
            plot_bgcolor: "rgba(0,0,0,0)",
            xaxis: { ...axis, range: this.home.x.slice() },
            yaxis: { ...axis, range: this.home.y.slice(), scaleanchor: "x" },
            dragmode: this.tool === "lasso" ? "lasso" : "pan",
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
            this.gl = false; // there is a context, but Plotly cannot use it
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

    /* Where the axes are at this moment: from their ranges, which are right even while they are dragged. */
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
                mark: this.markNow,
                thumbnails: this.options.thumbnails,
                scheme: scheme(),
                hover: this.hover,
                polygon: this.polygon,
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
        this.loading ??= this.data.atlas().then((atlas) => {
            this.atlas = atlas;
            this.redraw();
        });
    }

    async recover() {
        if (this.lost) return;
        this.lost = true;
        this.tellOnce("The graphics of this page were reset and are drawn again.");
        window.Plotly.purge(this.div);
        this.gl = hasWebGL();
        await this.plot();
        this.lost = false;
    }

    tellOnce(text) {
        this.notice.textContent = text;
        this.notice.hidden = false;
        clearTimeout(this.noticeTimer);
        this.noticeTimer = setTimeout(() => { this.notice.hidden = true; }, 6000);
    }

    /* The pointer */

    listen() {
        new ResizeObserver(() => this.resize()).observe(this.host);
        new MutationObserver(() => this.repaint()).observe(document.documentElement, {
            attributeFilter: ["data-mantine-color-scheme"],
        });
        // Plotly covers the page while the button is down, so a click is what begins, stays and ends at one place.
        this.host.addEventListener("pointerdown", (event) => {
            if (event.button === 0) this.down = { x: event.clientX, y: event.clientY, still: true };
        }, true);
        window.addEventListener("pointermove", ({ clientX, clientY }) => {
            if (this.down && Math.hypot(clientX - this.down.x, clientY - this.down.y) >= CLICK) this.down.still = false;
        }, true);
        window.addEventListener("pointerup", (event) => {
            const still = this.down?.still;
            this.down = null;
            if (still) this.click(event);
        }, true);
        window.addEventListener("pointercancel", () => { this.down = null; }, true);
        this.host.addEventListener("pointermove", (event) => this.move(event));
        this.host.addEventListener("pointerleave", () => this.leave());
        const tools = this.host.parentElement.querySelector(".toolbar");
        tools.addEventListener("click", (event) => {
            const tool = event.target.closest("[data-tool]")?.dataset.tool;
            if (tool) this.use(tool);
        });
        this.use("pan");
    }

    at(event) {
        const box = this.host.getBoundingClientRect();
        const px = event.clientX - box.left, py = event.clientY - box.top;
        const view = this.view, [x, y] = view.toMap(px, py);
        const thumb = this.options.thumbnails ? this.overlay.thumbAt(px, py) : -1;
        const row = thumb >= 0 ? thumb : this.data.nearest(x, y, REACH / view.scale, this.shown);
        return { px, py, x, y, row };
    }

    click(event) {
        const { x, y, row } = this.at(event);
        this.markNow = { x, y, links: [], rings: [] };
        if (row >= 0) Object.assign(this.markNow, { x: this.data.x[row], y: this.data.y[row] });
        this.redraw();
        send("map-click", { x, y, row: row >= 0 ? row : null, at: Date.now() });
    }

    move(event) {
        if (this.down || this.moving) return;
        this.moving = requestAnimationFrame(() => {
            this.moving = null;
            const { px, py, row } = this.at(event);
            if (row !== this.hover) {
                this.hover = row;
                this.redraw();
                this.showCard(row);
            }
            this.placeCard(px, py);
        });
    }

    leave() {
        if (this.moving) cancelAnimationFrame(this.moving);
        this.moving = null;
        this.hover = -1;
        this.card.hidden = true;
        this.redraw();
    }

    async showCard(row) {
        if (row < 0) { this.card.hidden = true; return; }
        const about = await this.data.card(row).catch(() => null);
        if (!about || row !== this.hover) return;
        const parts = [];
        if (about.thumbnail) {
            const image = element("img");
            image.src = about.thumbnail;
            image.alt = "";
            parts.push(image);
        }
        const words = element("div", "hover-words");
        words.append(element("strong", "", about.caption || "no caption"));
        for (const [label, value] of about.fields.slice(0, 5)) words.append(element("span", "", `${label}: ${value}`));
        this.card.replaceChildren(...parts, words);
        this.card.hidden = false;
    }

    placeCard(px, py) {
        const { clientWidth: width, clientHeight: height } = this.host;
        const x = px > width - 290 ? px - 278 : px + 16, y = py > height - 150 ? py - 138 : py + 16;
        this.card.style.transform = `translate(${Math.round(x)}px, ${Math.round(Math.max(4, y))}px)`;
    }

    use(tool) {
        const Plotly = window.Plotly;
        if (tool === "pan" || tool === "lasso") {
            this.tool = tool;
            Plotly.relayout(this.div, { dragmode: tool });
            for (const button of this.host.parentElement.querySelectorAll(".tool")) {
                button.classList.toggle("active", button.dataset.tool === tool);
            }
            return;
        }
        if (tool === "clear") {
            this.clearSelection();
            return;
        }
        if (tool === "home") {
            this.clearSelection();
            Plotly.relayout(this.div, { "xaxis.range": this.home.x.slice(), "yaxis.range": this.home.y.slice() });
            return;
        }
        const { xaxis, yaxis } = this.div._fullLayout, factor = tool === "in" ? 0.7 : 1 / 0.7;
        const scaled = ([low, high]) => {
            const middle = (low + high) / 2, half = ((high - low) / 2) * factor;
            return [middle - half, middle + half];
        };
        Plotly.relayout(this.div, { "xaxis.range": scaled(xaxis.range), "yaxis.range": scaled(yaxis.range) });
    }

    clearSelection() {
        this.selected = null;
        this.polygon = null;
        send("map-selection", null);
        this.repaint();
    }

    async gather(event) {
        const drawn = event?.lassoPoints;
        if (!drawn || drawn.x.length < 3) return;
        const rows = this.data.inside(drawn.x, drawn.y, this.shown);
        await window.Plotly.update(this.div, { selectedpoints: [null, null] }, { selections: [] });
        if (!rows.length) { this.clearSelection(); return; }
        this.selected = new Set(rows);
        this.polygon = drawn.x.map((x, i) => [x, drawn.y[i]]);
        this.repaint();
        send("map-selection", await this.data.select(rows));
    }

    /* What Dash tells it */

    show(options) {
        Object.assign(this.options, options);
        window.Plotly.restyle(this.div, { visible: [options.images, options.prompts] }, [0, 1]);
        if (options.thumbnails) this.loadAtlas();
        this.redraw();
    }

    async colourBy(choice, text) {
        try {
            if (choice === "similarity") {
                if (!text?.trim()) return;
                this.column = await this.data.similarity(text);
            } else {
                this.column = await this.data.column(Number(choice));
            }
            this.focus = null;
            this.repaint();
        } catch (error) {
            this.tellOnce(error.message);
        }
    }

    mark(mark) {
        if (!mark) return;
        this.markNow = mark;
        const { width, height, toPixel } = this.view, [x, y] = toPixel(mark.x, mark.y);
        if (mark.follow && (x < 0 || y < 0 || x > width || y > height)) this.use("home");
        this.redraw();
    }
}

const indices = (kinds, kind) => {
    const rows = [];
    kinds.forEach((each, row) => { if (each === kind) rows.push(row); });
    return Uint32Array.from(rows);
};

/* Dropping and choosing pictures, anywhere on the page of the map. */
const acceptPictures = (page) => {
    const zone = document.getElementById("map-drop-zone");
    const chooser = Object.assign(document.createElement("input"), { type: "file", accept: "image/*", hidden: true });
    zone.after(chooser);
    const take = async (file) => {
        if (!file) return;
        zone.classList.add("busy");
        const data = await MapData.upload(file).catch((error) => ({ error: error.message }));
        zone.classList.remove("busy");
        send("map-drop", { ...data, at: Date.now() });
    };
    zone.addEventListener("click", () => chooser.click());
    zone.addEventListener("keydown", (event) => { if (event.key === "Enter") chooser.click(); });
    chooser.addEventListener("change", () => { take(chooser.files[0]); chooser.value = ""; });
    page.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("over"); });
    page.addEventListener("dragleave", () => zone.classList.remove("over"));
    page.addEventListener("drop", (event) => {
        event.preventDefault();
        zone.classList.remove("over");
        take(event.dataTransfer.files[0]);
    });
    // An item among the nearest, or of a selection, is asked for by a click on its tile.
    page.addEventListener("click", (event) => {
        if (event.target.closest("[data-clear]")) window.thoughtspace.map?.use("clear");
        const item = event.target.closest(".tile[data-item]")?.dataset.item;
        if (item) send("map-click", { item, at: Date.now() });
    });
};

/* The host is React's to make, and may be hidden behind another page at first. */
const whenVisible = (id) => new Promise((resolve) => {
    const look = () => {
        const host = document.getElementById(id);
        if (host && host.clientWidth && host.clientHeight && window.Plotly) resolve(host);
        else setTimeout(look, 50);
    };
    look();
});

const host = await whenVisible("map-plot");
acceptPictures(host.closest(".map-page"));
try {
    const plot = new MapPlot(host, await new MapData(host.dataset.key).load());
    await plot.start();
    window.thoughtspace.map = plot;
    window.thoughtspace.mapIsReady(plot);
} catch (error) {
    host.append(element("div", "map-failed", error.message));
}
