/* The data of a map: raw little-endian columns, fetched once, and searches in them. */

const fetched = async (url, options) => {
    const response = await fetch(url, options);
    if (!response.ok) {
        const body = await response.json().catch(() => ({}));
        throw new Error(body.error || `Got ${response.status} from the server; reload the page.`);
    }
    return response;
};

export class MapData {
    constructor(key) {
        this.base = `/data/map/${key}`;
        this.columns = new Map();
        this.cards = new Map();
    }

    async load() {
        const [meta, places, kinds] = await Promise.all([
            fetched(`${this.base}/meta`).then((response) => response.json()),
            fetched(`${this.base}/coordinates`).then((response) => response.arrayBuffer()),
            fetched(`${this.base}/kinds`).then((response) => response.arrayBuffer()),
        ]);
        this.meta = meta;
        this.n = meta.n;
        this.x = new Float32Array(places, 0, meta.n);
        this.y = new Float32Array(places, 4 * meta.n, meta.n);
        this.kinds = new Uint8Array(kinds);
        this.bounds = [...extent(this.x), ...extent(this.y)];
        return this;
    }

    async column(index) {
        const about = this.meta.columns[index];
        if (!this.columns.has(index)) {
            const buffer = await fetched(`${this.base}/column/${index}`).then((response) => response.arrayBuffer());
            const values = about.kind === "category" ? new Uint8Array(buffer) : new Float32Array(buffer);
            this.columns.set(index, { ...about, values });
        }
        return this.columns.get(index);
    }

    async similarity(expression, gap) {
        const buffer = await fetched(`${this.base}/similarity`, {
            method: "POST",
            headers: { "Content-Type": "application/json" },
            body: JSON.stringify({ expression, gap }),
        }).then((response) => response.arrayBuffer());
        return { name: "similarity", label: "Cosine", kind: "number", values: new Float32Array(buffer), categories: [] };
    }

    async card(row) {
        if (!this.cards.has(row)) {
            const card = fetched(`${this.base}/item/${row}`).then((response) => response.json());
            card.catch(() => this.cards.delete(row)); // so that the next hover asks again
            this.cards.set(row, card);
        }
        return this.cards.get(row);
    }

    async atlas() {
        const about = await fetched(`${this.base}/atlas`).then((response) => response.json());
        const image = new Image();
        image.src = `${this.base}/atlas.jpg`;
        await image.decode();
        const cells = new Int32Array(this.n).fill(-1);
        about.rows.forEach((row, cell) => { cells[row] = cell; });
        return { image, cells, cell: about.cell, columns: about.columns };
    }

    async select(rows) {
        const body = new Uint32Array(rows);
        return fetched(`${this.base}/selection`, {
            method: "POST",
            headers: { "Content-Type": "application/octet-stream" },
            body,
        }).then((response) => response.json());
    }

    static async upload(file) {
        const form = new FormData();
        form.append("picture", file, file.name);
        return fetched("/data/upload", { method: "POST", body: form }).then((response) => response.json());
    }

    /* Rows inside a polygon given as arrays of map coordinates, among those that `shown` keeps. */
    inside(xs, ys, shown) {
        const rows = [];
        for (let row = 0; row < this.n; row++) {
            if (!shown(row)) continue;
            const x = this.x[row], y = this.y[row];
            let odd = false;
            for (let i = 0, j = xs.length - 1; i < xs.length; j = i++) {
                if (ys[i] > y !== ys[j] > y && x < ((xs[j] - xs[i]) * (y - ys[i])) / (ys[j] - ys[i]) + xs[i]) odd = !odd;
            }
            if (odd) rows.push(row);
        }
        return rows;
    }

    /* The row nearest to a place within a distance, or -1. */
    nearest(x, y, within, shown) {
        let best = -1, least = within * within;
        for (let row = 0; row < this.n; row++) {
            const dx = this.x[row] - x, dy = this.y[row] - y, squared = dx * dx + dy * dy;
            if (squared < least && shown(row)) { least = squared; best = row; }
        }
        return best;
    }
}

export const extent = (values) => {
    let low = Infinity, high = -Infinity;
    for (const value of values) {
        if (value < low) low = value;
        if (value > high) high = value;
    }
    return [low, high];
};

/* The 1 % and 99 % quantiles of the finite values: the ends of the colour scale. */
export const span = (values) => {
    const known = Float32Array.from(values).filter((value) => Number.isFinite(value)).sort();
    if (!known.length) return [0, 1];
    const [low, high] = [0.01, 0.99].map((share) => known[Math.round(share * (known.length - 1))]);
    return low < high ? [low, high] : [low - 0.5, low + 0.5];
};
