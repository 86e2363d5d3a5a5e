"""The table of figures in the pocket model's card, from what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

ROWS = {
    "reader_accuracy": ("factors the reader reads right on fresh renders", "{:.1%}", "≥ 99.8 %"),
    "psnr_db": ("autoencoder, mean PSNR of encode → decode", "{:.2f} dB", "≥ 31 dB"),
    "autoencoder_agreement": ("factors the reader still finds after encode → decode", "{:.1%}", ""),
    "retrieval_r1": ("text → image R@1 among 256 pictures with distinct full captions", "{:.1%}", "≥ 85 %"),
    "probe_accuracy": ("linear probes of the joint vector, mean over factors", "{:.1%}", "≥ 92 %"),
    "probe_chance": ("… always saying the commonest value", "{:.1%}", ""),
    "text_agreement": ("prompt → picture: factors named that the reader finds", "{:.1%}", "≥ 96 %"),
    "text_agreement_held_out": ("… on held-out combinations", "{:.1%}", "≥ 90 %"),
    "text_agreement_held_out_pair": ("… only the two factors that were never seen together", "{:.1%}", "≥ 75 %"),
    "text_agreement_shuffled": ("… against the factors of another prompt of the same kind", "{:.1%}", ""),
    "joint_cosine": ("joint vector → picture → joint vector, cosine", "{:.2f}", "≥ 0.95"),
    "joint_cosine_shuffled": ("… to another picture of the same kind", "{:.2f}", ""),
    "joint_agreement": ("… factors kept", "{:.1%}", "≥ 97 %"),
    "arithmetic_changed": ("picture − its word + another word: the new value is seen", "{:.1%}", "≥ 94 %"),
    "arithmetic_changed_baseline": ("… without the arithmetic", "{:.1%}", ""),
    "arithmetic_kept": ("… the other factors are kept", "{:.1%}", "≥ 90 %"),
    "arithmetic_kept_baseline": ("… without the arithmetic", "{:.1%}", ""),
    "seconds_per_picture": ("seconds from a joint vector to its picture, two cores", "{:.2f} s", "≤ 0.25 s"),
}


def table(figures: Mapping[str, float], intervals: Mapping[str, Sequence[float]]) -> str:
    """Markdown: what, figure with its 95 % interval where it is a share, aim."""
    lines = ["| what | figure (95 % interval) | aim |", "|---|---|---|"]
    for key, (what, form, aim) in ROWS.items():
        figure = form.format(figures[key])
        if key in intervals:
            low, high = (form.format(end).removesuffix("%") for end in intervals[key])
            figure += f" ({low} to {high})"
        lines.append(f"| {what} | {figure.replace('%', ' %')} | {aim} |")
    return "\n".join(lines)
