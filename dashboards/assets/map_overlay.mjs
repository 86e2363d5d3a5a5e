/* The layer above the points: thumbnails, the mark of the decoded place, its links, and rings around matches. */

const THUMB = 30; // pixels on the screen
const MOST = 420; // thumbnails at once

export class Overlay {
    constructor(host) {
        this.canvas = document.createElement("canvas");
        this.canvas.className = "map-overlay";
        host.append(this.canvas);
        this.shownThumbs = [];
    }

    resize(width, height) {
        const ratio = window.devicePixelRatio || 1;
        this.canvas.width = Math.round(width * ratio);
        this.canvas.height = Math.round(height * ratio);
        this.canvas.style.width = `${width}px`;
        this.canvas.style.height = `${height}px`;
        this.ratio = ratio;
    }

    /* state: {data, view, atlas, shown, kept, colourOf, mark, thumbnails, scheme, hover, polygon, crossed} */
    draw(state) {
        const pen = this.canvas.getContext("2d");
        pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
        pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
        this.shownThumbs = [];
        if (state.thumbnails && state.atlas) this.drawThumbs(pen, state);
        const { mark, data, view } = state;
        const ink = state.scheme === "dark" ? "#ffffff" : "#14161c";
        if (state.polygon) outline(pen, state.polygon.map(([x, y]) => view.toPixel(x, y)), ink);
        for (const row of mark?.rings || []) ring(pen, view.toPixel(data.x[row], data.y[row]), 9, ink, 2);
        if (mark) this.drawMark(pen, state, ink);
        if (state.crossed) cross(pen, view.width / 2, view.height / 2, ink);
        if (state.hover !== null) ring(pen, view.toPixel(data.x[state.hover], data.y[state.hover]), 7, ink, 2);
    }

    drawMark(pen, { mark, data, view }, ink) {
        const [x, y] = view.toPixel(mark.x, mark.y);
        pen.strokeStyle = ink;
        for (const [row, weight] of mark.links || []) {
            const [toX, toY] = view.toPixel(data.x[row], data.y[row]);
            pen.globalAlpha = 0.25 + 0.6 * weight;
            pen.lineWidth = 1 + 3 * weight;
            pen.beginPath();
            pen.moveTo(x, y);
            pen.lineTo(toX, toY);
            pen.stroke();
            pen.globalAlpha = 1;
        }
        pen.fillStyle = "#ff4d5e";
        pen.strokeStyle = "#ffffff";
        pen.lineWidth = 2.5;
        pen.beginPath();
        pen.arc(x, y, 6.5, 0, 2 * Math.PI);
        pen.fill();
        pen.stroke();
        ring(pen, [x, y], 12, "#ff4d5e", 1.5);
    }

    /* Thumbnails that do not overlap, in the order of the rows, so that the first ones stay while the map moves.
       Overlaps are looked up on a grid of the screen whose cells are as wide as a thumbnail. */
    drawThumbs(pen, { data, view, atlas, shown, kept, colourOf }) {
        const spacing = THUMB + 4, taken = new Map();
        const isFree = (x, y, column, line) => {
            for (let i = column - 1; i <= column + 1; i++) {
                for (let j = line - 1; j <= line + 1; j++) {
                    const other = taken.get(i * 4096 + j);
                    if (other && Math.abs(other.x - x) < spacing && Math.abs(other.y - y) < spacing) return false;
                }
            }
            return true;
        };
        for (let row = 0; row < data.n && this.shownThumbs.length < MOST; row++) {
            if (atlas.cells[row] < 0 || !shown(row)) continue;
            const [x, y] = view.toPixel(data.x[row], data.y[row]);
            if (x < -THUMB || y < -THUMB || x > view.width + THUMB || y > view.height + THUMB) continue;
            const column = Math.floor(x / spacing) + 2, line = Math.floor(y / spacing) + 2;
            if (!isFree(x, y, column, line)) continue;
            const thumb = { row, x, y };
            taken.set(column * 4096 + line, thumb);
            this.shownThumbs.push(thumb);
            pen.globalAlpha = kept(row) ? 1 : 0.3;
            drawThumb(pen, atlas, thumb, colourOf(row));
            pen.globalAlpha = 1;
        }
    }

    /* The row of the thumbnail under a pixel, or -1. */
    thumbAt(x, y) {
        for (let i = this.shownThumbs.length - 1; i >= 0; i--) {
            const thumb = this.shownThumbs[i];
            if (Math.abs(thumb.x - x) <= THUMB / 2 && Math.abs(thumb.y - y) <= THUMB / 2) return thumb.row;
        }
        return -1;
    }
}

const drawThumb = (pen, atlas, { row, x, y }, colour) => {
    const cell = atlas.cells[row], left = x - THUMB / 2, top = y - THUMB / 2;
    const fromX = (cell % atlas.columns) * atlas.cell, fromY = Math.floor(cell / atlas.columns) * atlas.cell;
    pen.fillStyle = colour;
    rounded(pen, left - 1.5, top - 1.5, THUMB + 3, 6);
    pen.fill();
    pen.save();
    rounded(pen, left, top, THUMB, 5);
    pen.clip();
    pen.drawImage(atlas.image, fromX, fromY, atlas.cell, atlas.cell, left, top, THUMB, THUMB);
    pen.restore();
};

const rounded = (pen, x, y, side, radius) => {
    pen.beginPath();
    pen.roundRect(x, y, side, side, radius);
};

const ring = (pen, [x, y], radius, colour, width) => {
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.stroke();
};

const cross = (pen, x, y, colour) => {
    pen.strokeStyle = colour;
    pen.lineWidth = 1.5;
    pen.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        pen.moveTo(x + 5 * dx, y + 5 * dy);
        pen.lineTo(x + 15 * dx, y + 15 * dy);
    }
    pen.stroke();
};

const outline = (pen, corners, colour) => {
    pen.beginPath();
    corners.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    pen.closePath();
    pen.fillStyle = "rgba(91, 108, 240, 0.10)";
    pen.fill();
    pen.setLineDash([5, 4]);
    pen.strokeStyle = colour;
    pen.lineWidth = 1.25;
    pen.stroke();
    pen.setLineDash([]);
};
