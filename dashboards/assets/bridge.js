/* Functions that Dash calls in the browser: showing a page, and sending messages to the map once it is ready. */
(function () {
    "use strict";
    let resolveMap;
    const ready = new Promise((resolve) => { resolveMap = resolve; });
    const noUpdate = () => window.dash_clientside.no_update;
    const send = (message) => { ready.then(message); };

    window.thoughtspace = { mapIsReady: (map) => resolveMap(map) };

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
            /* Whether the slow watch of a job is off: it runs as soon as there is a job. */
            watch(key) {
                return !key;
            },
            mapShow(images, prompts, thumbnails) {
                send((map) => map.show({ images, prompts, thumbnails }));
                return noUpdate();
            },
            mapColour(column, submitted, gap, text) {
                send((map) => map.colourBy(column, text, gap));
                return column !== "similarity";
            },
            mapMark(mark) {
                send((map) => map.mark(mark));
                return noUpdate();
            },
        },
    });
})();
