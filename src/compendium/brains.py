"""Pictures of maps on the brain: still ones, and a page that turns them in the hand.

Nothing is computed here: values arrive, a picture leaves.
"""

import base64
import gzip
import html
import io
import textwrap
from collections.abc import Sequence
from functools import cache
from importlib import resources

import nibabel as nib
import numpy as np

from compendium.connectome.model import Space, VoxelSpace

CUTS = (-24, -8, 4, 18, 34, 52, 66)  # axial slices from the midbrain to the vertex, mm


def location_image(space: Space, values: np.ndarray) -> nib.Nifti1Image:
    """Paint one value a location into an image.

    Parameters
    ----------
    space : VoxelSpace or ParcelSpace
        Where the values lie.
    values : ndarray, shape (n_locations,)
        NaN is painted as 0, like everything outside the space.

    Returns
    -------
    Nifti1Image
        float32, on the grid of the space.
    """
    known = np.nan_to_num(np.asarray(values, dtype=np.float32))
    if isinstance(space, VoxelSpace):
        data = np.zeros(space.shape, dtype=np.float32)
        data[tuple(space.indices.T)] = known
    else:
        by_value = np.zeros(int(space.labels.max()) + 1, dtype=np.float32)
        by_value[space.table["value"].to_numpy(int)] = known
        data = by_value[space.labels]
    return nib.Nifti1Image(data, space.affine)


@cache
def _template(resolution: int) -> nib.Nifti1Image:
    from nilearn.datasets import load_mni152_template

    return load_mni152_template(resolution=resolution)


def draw_strips(
    rows: Sequence[tuple[str, nib.Nifti1Image]],
    *,
    limit: float,
    threshold: float = 0.0,
    unit: str = "mean z",
    cuts: Sequence[float] = CUTS,
) -> bytes:
    """Draw one row of axial slices for each map, all on one colour scale.

    Parameters
    ----------
    rows : sequence of (str, Nifti1Image)
        Label and map.
    limit : float
        Value at the ends of the colour scale.
    threshold : float
        Absolute values below it are left uncoloured.
    unit : str
        What the colour bar measures.
    cuts : sequence of float
        Slices, mm in MNI152.

    Returns
    -------
    bytes
        A PNG.
    """
    from matplotlib import pyplot as plt

    template = _template(2)
    grey = template.get_fdata()
    inside = grey > 0.15 * grey.max()
    across, along = (
        slice(*np.flatnonzero(inside.any(axis=drop))[[0, -1]]) for drop in ((1, 2), (0, 2))
    )
    levels = [round((cut - template.affine[2, 3]) / template.affine[2, 2]) for cut in cuts]
    height = 1.06
    figure, axes = plt.subplots(
        len(rows),
        len(cuts) + 1,
        figsize=(9.6, height * len(rows) + 0.75),
        squeeze=False,
        facecolor="white",
        gridspec_kw={"width_ratios": [2.1] + [1] * len(cuts), "wspace": 0.02, "hspace": 0.03},
    )
    shades = None
    for row, (label, image) in enumerate(rows):
        values = _on_template(image).get_fdata()
        values = np.ma.masked_where((np.abs(values) < max(threshold, 1e-6)) | ~inside, values)
        axes[row, 0].text(
            0, 0.5, textwrap.fill(label, 24), va="center", fontsize=9, color="#1d2733"
        )
        for axis, level, cut in zip(axes[row, 1:], levels, cuts, strict=True):
            # up is anterior and left is the subject's left, as in nilearn's pictures
            axis.imshow(
                np.ma.masked_where(~inside[:, :, level], grey[:, :, level])[across, along].T,
                cmap="gray",
                origin="lower",
                vmin=0,
                vmax=grey.max() * 1.25,
            )
            shades = axis.imshow(
                values[across, along, level].T,
                cmap="RdBu_r",
                origin="lower",
                vmin=-limit,
                vmax=limit,
                alpha=0.9,
                interpolation="nearest",
            )
            if row == 0:
                axis.set_title(f"z = {cut:g}", fontsize=8, color="#5b6775", pad=3)
    for axis in axes.flat:
        axis.axis("off")
    bottom = 0.55 / (height * len(rows) + 0.75)
    figure.subplots_adjust(
        left=0.01, right=0.995, top=1 - 0.2 / (height * len(rows)), bottom=bottom
    )
    bar = figure.add_axes((0.42, bottom * 0.72, 0.3, bottom * 0.16))
    figure.colorbar(shades, cax=bar, orientation="horizontal").ax.tick_params(labelsize=8)
    bar.set_title(unit, fontsize=8, color="#5b6775", pad=3)
    buffer = io.BytesIO()
    # no software name or date in the file: the same map is the same bytes
    figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
    plt.close(figure)
    return buffer.getvalue()


def _on_template(image: nib.Nifti1Image) -> nib.Nifti1Image:
    from nilearn.image import resample_to_img

    return resample_to_img(
        image, _template(2), interpolation="nearest", force_resample=True, copy_header=True
    )


def niivue_script() -> str:
    """Return the NiiVue viewer that ships inside nilearn, so that no page fetches it.

    Raises
    ------
    FileNotFoundError
        If this nilearn keeps it elsewhere.
    """
    return (resources.files("nilearn") / "_assets" / "js" / "niivue.umd.js").read_text(
        encoding="utf-8"
    )


def viewer_page(image: nib.Nifti1Image, *, title: str, limit: float, threshold: float) -> str:
    """Return a page with an interactive viewer of one map over the MNI152 template.

    The page expects `niivue_script` beside it as ``niivue.js``; it loads nothing else, and works
    from a file.

    Parameters
    ----------
    image : Nifti1Image
        The map.
    title : str
        What the map is, how many subjects and which connectome it rests on.
    limit, threshold : float
        Ends and beginning of the colour scale.
    """
    overlay = _on_template(image)
    template = _template(2)
    grey = template.get_fdata()
    background = nib.Nifti1Image(
        np.clip(255 * grey / grey.max(), 0, 255).astype(np.uint8), template.affine
    )
    return _PAGE.format(
        title=html.escape(title),
        background=_base64(background),
        overlay=_base64(nib.Nifti1Image(overlay.get_fdata().astype(np.float32), overlay.affine)),
        limit=float(limit),
        threshold=float(threshold),
    )


def _base64(image: nib.Nifti1Image) -> str:
    # mtime=0: a gzip header otherwise carries the clock
    return base64.b64encode(gzip.compress(image.to_bytes(), 9, mtime=0)).decode("ascii")


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>html,body{{margin:0;height:100%;background:#0b0f14;color:#dfe6ee;
font:14px/1.4 system-ui,sans-serif}}
main{{display:flex;flex-direction:column;height:100%}}
canvas{{flex:1;min-height:0;width:100%;outline-offset:-3px}}
p{{margin:.4rem .8rem}}</style></head>
<body><main><h1 style="font-size:1rem;margin:.6rem .8rem 0">{title}</h1>
<p id="where" aria-live="polite">Drag in a slice to move the cross-hair; drag the head to turn it.
</p><canvas id="view" tabindex="0" role="img"
aria-label="Interactive three-plane view and rendering of: {title}"></canvas></main>
<script src="niivue.js"></script>
<script>
(async () => {{
  const place = document.getElementById("where");
  const viewer = new niivue.Niivue({{
    backColor: [0.043, 0.059, 0.078, 1], show3Dcrosshair: true, isColorbar: true,
    onLocationChange: (at) => {{ place.textContent = at.string; }}}});
  await viewer.attachToCanvas(document.getElementById("view"));
  viewer.setSliceType(viewer.sliceTypeMultiplanar);
  viewer.opts.multiplanarShowRender = 1;
  const volume = (base64, name, options) => niivue.NVImage.loadFromBase64(
    Object.assign({{base64, name}}, options));
  viewer.addVolume(await volume("{background}", "template.nii.gz", {{colormap: "gray"}}));
  viewer.addVolume(await volume("{overlay}", "map.nii.gz", {{
    colormap: "warm", colormapNegative: "winter", opacity: 0.75,
    cal_min: {threshold}, cal_max: {limit}, cal_minNeg: -{limit}, cal_maxNeg: -{threshold}}}));
  document.body.dataset.ready = "yes";
}})();
</script></body></html>
"""
