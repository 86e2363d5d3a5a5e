/* What Dash calls in the browser: which page is shown, and messages to the map (map.mjs), whenever that is ready. */
(function () {
    "use strict";
    let answer;
    const ready = new Promise((resolve) => { answer = resolve; });
    const noUpdate = () => window.dash_clientside.no_update;
    const tell = (message) => { ready.then(message); };

    window.thoughtspace = { mapIsReady: (map) => answer(map) };

    window.dash_clientside = Object.assign({}, window.dash_clientside, {
        thoughtspace: {
            /* `hidden` of every page, then the class of every link. */
            route(pathname) {
                const links = [...document.querySelectorAll(".nav .nav-link")].map((link) => new URL(link.href).pathname);
                const here = links.includes(pathname) ? pathname : links[0];
                setTimeout(() => window.dispatchEvent(new Event("resize")), 0);
                return [
                    ...links.map((link) => link !== here),
                    ...links.map((link) => (link === here ? "nav-link active" : "nav-link")),
                ];
            },
            scheme(scheme) {
                return scheme === "dark" ? "dark" : "light";
            },
            /* Whether the watch over a job may rest: as soon as there is one, it does not. */
            watch(key) {
                return !key;
            },
            mapShow(images, prompts, thumbnails) {
                tell((map) => map.show({ images, prompts, thumbnails }));
                return noUpdate();
            },
            mapColour(column, submitted, text) {
                tell((map) => map.colourBy(column, text));
                return column !== "similarity";
            },
            mapMark(mark) {
                tell((map) => map.mark(mark));
                return noUpdate();
            },
        },
    });
})();
