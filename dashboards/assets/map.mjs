/* Starts the map when its page is visible, and passes messages between it and Dash. */

import { element } from "./map_colours.mjs";
import { MapData } from "./map_data.mjs";
import { MapPlot } from "./map_plot.mjs";
import { bindKeys } from "./map_keys.mjs";
import { Pointer, bindTools } from "./map_pointer.mjs";

const send = (id, data) => window.dash_clientside.set_props(id, { data });

/* Whether a key presses what has the focus, as it would a button; the page must not scroll then. */
const pressed = (event) => {
    if (event.key !== "Enter" && event.key !== " ") return false;
    event.preventDefault();
    return true;
};

/* Pictures are dropped anywhere on the Map page, or chosen from a file. */
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
    zone.addEventListener("keydown", (event) => { if (pressed(event)) chooser.click(); });
    chooser.addEventListener("change", () => { take(chooser.files[0]); chooser.value = ""; });
    page.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("over"); });
    page.addEventListener("dragleave", () => zone.classList.remove("over"));
    page.addEventListener("drop", (event) => {
        event.preventDefault();
        zone.classList.remove("over");
        take(event.dataTransfer.files[0]);
    });
    page.addEventListener("click", (event) => {
        if (event.target.closest("[data-clear]")) window.thoughtspace.map?.clearSelection();
    });
};

/* A click on the tile of an item, or Enter or Space while it has the focus, shows that item on the map, from any page. */
const showItem = (event) => {
    const tile = event.target.closest?.(".tile[data-item]");
    if (!tile || (event.type === "keydown" && !pressed(event))) return;
    send("map-click", { item: tile.dataset.item, at: Date.now() });
    if (!tile.closest(".map-page")) document.getElementById("link-map").click();
};
document.addEventListener("click", showItem);
document.addEventListener("keydown", showItem);

/* React makes the host element, and another page may hide it at first. */
const whenVisible = (id) => new Promise((resolve) => {
    const check = () => {
        const host = document.getElementById(id);
        if (host && host.clientWidth && host.clientHeight && window.Plotly) resolve(host);
        else setTimeout(check, 50);
    };
    check();
});

const host = await whenVisible("map-plot");
acceptPictures(host.closest(".map-page"));
try {
    const data = await new MapData(host.dataset.key).load();
    const plot = new MapPlot(host, data, async (rows) => {
        try {
            send("map-selection", rows && (await data.select(rows)));
        } catch (error) {
            plot.notify(error.message);
        }
    });
    await plot.start();
    const decode = ({ x, y, row }) => {
        plot.mark(row === null ? { x, y } : { x: data.x[row], y: data.y[row] });
        send("map-click", { x, y, row, at: Date.now() });
        host.parentElement.querySelector(".map-hint").hidden = true; // no hint is needed after the first click
    };
    new Pointer(plot, decode);
    bindTools(plot);
    bindKeys(plot, decode);
    host.dataset.ready = "true";
    window.thoughtspace.map = plot;
    window.thoughtspace.mapIsReady(plot);
} catch (error) {
    host.append(element("div", "map-failed", error.message));
}
