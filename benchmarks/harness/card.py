"""The table of figures in the pocket model's card, from what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

ROWS = {
    "reader_accuracy": ("factors the reader reads right on fresh renders", "{:.1%}", "≥ 99.8 %"),
    "psnr_db": ("autoencoder, mean PSNR of encode → decode", "{:.2f} dB", "≥ 31 dB"),
    "psnr_db_at_64": ("… of both averaged down to 64 px", "{:.2f} dB", ""),
    "autoencoder_agreement": ("factors the reader still finds after encode → decode", "{:.1%}", ""),
    "retrieval_r1": ("text → image R@1 among 256 pictures with distinct full captions", "{:.1%}", "≥ 85 %"),
    "retrieval_r10": ("… R@10", "{:.1%}", ""),
    "probe_accuracy": ("linear probes of the joint vector, mean over factors", "{:.1%}", "≥ 92 %"),
    "probe_chance": ("… always saying the commonest value", "{:.1%}", ""),
    "text_agreement": ("prompt → picture: factors named that the reader finds", "{:.1%}", "≥ 96 %"),
    "text_agreement_held_out": ("… on held-out combinations", "{:.1%}", "≥ 90 %"),
    "text_agreement_held_out_pair": ("… only the two factors that were never seen together", "{:.1%}", "≥ 75 %"),
    "text_agreement_shuffled": ("… against the factors of another prompt of the same kind", "{:.1%}", ""),
    "joint_text_full_kind": ("full caption → thought vector → picture: the right kind of scene", "{:.1%}", "≥ 99 %"),
    "joint_text_full_agreement": ("… factors named that the reader finds", "{:.1%}", "≥ 95 %"),
    "joint_text_full_agreement_object": ("… of objects", "{:.1%}", "≥ 90 %"),
    "joint_text_short_kind": ("short caption → thought vector → picture: the right kind of scene", "{:.1%}", "≥ 99 %"),
    "joint_text_short_agreement": ("… factors named that the reader finds", "{:.1%}", "≥ 95 %"),
    "plain_kind": ("120 plain sentences → thought vector → picture: the right kind of scene", "{:.1%}", "≥ 97 %"),
    "plain_agreement": ("… factors named that the reader finds", "{:.1%}", "≥ 88 %"),
    "plain_agreement_object": ("… of objects", "{:.1%}", "≥ 80 %"),
    "variety": ("what short captions leave open: entropy over 16 seeds, of the world's own", "{:.2f}", "≥ 0.80"),
    "joint_cosine": ("joint vector → picture → joint vector, cosine", "{:.2f}", "≥ 0.95"),
    "joint_cosine_shuffled": ("… to another picture of the same kind", "{:.2f}", ""),
    "joint_agreement": ("… factors kept", "{:.1%}", "≥ 97 %"),
    "arithmetic_changed": ("picture − its word + another word: the new value is seen", "{:.1%}", "≥ 94 %"),
    "arithmetic_changed_baseline": ("… without the arithmetic", "{:.1%}", ""),
    "arithmetic_kept": ("… the other factors are kept", "{:.1%}", "≥ 90 %"),
    "arithmetic_kept_baseline": ("… without the arithmetic", "{:.1%}", ""),
    "seconds_per_picture": ("seconds from a joint vector to its picture, two cores", "{:.2f} s", "≤ 0.25 s"),
}


def table(
    figures: Mapping[str, float],
    intervals: Mapping[str, Sequence[float]],
    beside: Mapping[str, Mapping[str, Mapping[str, float]]],
) -> str:
    """Markdown: what, figure with its 95 % interval where it is a share, those of other models, aim.

    Args:
        beside: other model -> figure -> its `value`, of models that were measured on the same scenes.
    """
    lines = ["| what | figure (95 % interval) | " + "".join(f"{name} | " for name in beside) + "aim |"]
    lines.append("|---|---|" + "---|" * len(beside) + "---|")
    for key, (what, form, aim) in ROWS.items():
        figure = form.format(figures[key])
        if key in intervals:
            low, high = (form.format(end).removesuffix("%") for end in intervals[key])
            figure += f" ({low} to {high})"
        others = [form.format(each[key]["value"]) if key in each else "" for each in beside.values()]
        cells = " | ".join([figure, *others]).replace("%", " %")
        lines.append(f"| {what} | {cells} | {aim} |")
    return "\n".join(lines)
