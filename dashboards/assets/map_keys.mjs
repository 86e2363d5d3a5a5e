/* A map without a pointer: arrows move it under a cross in the middle, + and - zoom, Enter decodes what is at the cross. */

const STEP = 0.08; // of the width or height
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/* `onDecode({x, y, row})` gets what a click gives. */
export const bindKeys = (map, onDecode) => {
    map.host.addEventListener("focus", () => { map.crossed = map.host.matches(":focus-visible"); map.redraw(); });
    map.host.addEventListener("blur", () => { map.crossed = false; map.redraw(); });
    map.host.addEventListener("keydown", (event) => {
        if (event.target !== map.host || event.ctrlKey || event.metaKey || event.altKey) return;
        if (event.key in MOVES) map.shift(...MOVES[event.key].map((by) => STEP * by));
        else if (event.key === "+" || event.key === "=") map.zoom(0.7);
        else if (event.key === "-") map.zoom(1 / 0.7);
        else if (event.key === "Home" || event.key === "0") map.showAll();
        else if (event.key === "Escape") map.clearSelection();
        else if (event.key === "Enter" || event.key === " ") onDecode(map.atCross());
        else return;
        map.crossed = true;
        map.redraw();
        event.preventDefault();
    });
};
