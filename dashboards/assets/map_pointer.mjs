/* The pointer on a map: clicks, hovering and the tools. */

import { element } from "./map_colours.mjs";
import { REACH } from "./map_plot.mjs";

const CLICK = 5; // pixels that a pointer may move and still click

export class Pointer {
    /* `map` is a MapPlot; `onClick({x, y, row})` gets map coordinates and the row of the point there, or null. */
    constructor(map, onClick) {
        Object.assign(this, { map, onClick, host: map.host, down: null, moving: null });
        this.card = element("div", "hover-card");
        this.card.hidden = true;
        this.host.append(this.card);
        this.listen();
    }

    listen() {
        // Plotly covers the page while the button is down, so a click is a press that is released at the same place.
        this.host.addEventListener("pointerdown", (event) => {
            if (event.button === 0) this.down = { x: event.clientX, y: event.clientY, still: true };
        }, true);
        window.addEventListener("pointermove", ({ clientX, clientY }) => {
            if (this.down && Math.hypot(clientX - this.down.x, clientY - this.down.y) >= CLICK) this.down.still = false;
        }, true);
        window.addEventListener("pointerup", (event) => {
            const still = this.down?.still;
            this.down = null;
            if (still) this.onClick(this.at(event));
        }, true);
        window.addEventListener("pointercancel", () => { this.down = null; }, true);
        this.host.addEventListener("pointermove", (event) => this.move(event));
        this.host.addEventListener("pointerleave", () => this.leave());
    }

    at(event) {
        const { map } = this, box = this.host.getBoundingClientRect();
        const px = event.clientX - box.left, py = event.clientY - box.top;
        const view = map.view, [x, y] = view.toMap(px, py);
        const thumb = map.options.thumbnails ? map.overlay.thumbAt(px, py) : -1;
        const row = thumb >= 0 ? thumb : map.data.nearest(x, y, REACH / view.scale, map.shown);
        return { px, py, x, y, row: row >= 0 ? row : null };
    }

    move(event) {
        if (this.down || this.moving) return;
        this.moving = requestAnimationFrame(() => {
            this.moving = null;
            const { px, py, row } = this.at(event);
            if (row !== this.map.hover) {
                this.map.hover = row;
                this.map.redraw();
                this.showCard(row);
            }
            this.placeCard(px, py);
        });
    }

    leave() {
        if (this.moving) cancelAnimationFrame(this.moving);
        this.moving = null;
        this.map.hover = null;
        this.card.hidden = true;
        this.map.redraw();
    }

    async showCard(row) {
        if (row === null) { this.card.hidden = true; return; }
        const about = await this.map.data.card(row).catch(() => null);
        if (row !== this.map.hover) return;
        if (!about) { this.card.hidden = true; return; } // it would show another row
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
}

/* The buttons over a map. */
export const bindTools = (map) => {
    const bar = map.host.parentElement.querySelector(".toolbar");
    bar.addEventListener("click", (event) => {
        const tool = event.target.closest("[data-tool]")?.dataset.tool;
        if (tool) useTool(map, bar, tool);
    });
    useTool(map, bar, "pan");
};

const useTool = (map, bar, tool) => {
    if (tool === "pan" || tool === "lasso") {
        map.drag(tool);
        for (const button of bar.querySelectorAll(".tool")) {
            button.classList.toggle("active", button.dataset.tool === tool);
        }
    } else if (tool === "home") {
        map.clearSelection();
        map.showAll();
    } else {
        map.zoom(tool === "in" ? 0.7 : 1 / 0.7);
    }
};
