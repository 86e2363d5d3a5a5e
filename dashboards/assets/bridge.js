/* Functions that Dash calls in the browser: showing a page, and sending messages to the map once it is ready. */
(function () {
    "use strict";
    let resolveMap;
    const ready = new Promise((resolve) => { resolveMap = resolve; });
    const noUpdate = () => window.dash_clientside.no_update;
    const send = (message) => { ready.then(message); };

    /* Whether the server is there: what it no longer answers must not look as if it worked. */
    const EVERY = 4000;
    let started = null;
    const say = (sentence) => {
        const banner = document.getElementById("shell-offline");
        if (!banner) return;
        banner.textContent = sentence;
        banner.hidden = !sentence;
    };
    const lookForServer = async () => {
        try {
            const answer = await fetch("/data/alive", { cache: "no-store", signal: AbortSignal.timeout(3 * EVERY) });
            if (answer.status === 401) {
                say("The server no longer knows this page. Open the address that it printed when it was started.");
            } else if (answer.ok) {
                const now = (await answer.json()).started;
                const again = started !== null && now !== started;
                started = started ?? now;
                say(again ? "The server was started again: what was running has ended. Reload this page to go on." : "");
            }
        } catch {
            say("The server does not answer. What you see is kept; this page goes on when the server is back.");
        }
        setTimeout(lookForServer, EVERY);
    };
    setTimeout(lookForServer, EVERY);

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
