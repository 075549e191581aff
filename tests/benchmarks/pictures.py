"""The roofline and the growth curves, where matplotlib is installed."""

from pathlib import Path

# Behind a name: where a line goes through it, it stays readable.
NOTE = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}


def draw(results, folder):
    """Write roofline.png and growth.png into ``folder``; return their paths, or why not."""
    try:
        import matplotlib
    except ImportError:
        return ["no pictures: matplotlib is not installed"]
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    if "kernels" not in results or "growth" not in results:
        return ["no pictures: the parts kernels and growth are not measured"]
    folder = Path(folder)
    peak, gemm = results["machine"]["fma_gflops"], results["machine"]["sgemm_gflops"]
    figure, axes = plt.subplots(figsize=(8, 5))
    for row in results["kernels"]:
        axes.scatter(row["intensity"], row["gflops"], color="tab:blue")
        point = (row["intensity"], row["gflops"])
        right = row["intensity"] > 50
        # Under its point where another one is close above it, or the line of the products is.
        above = gemm * 0.98 > row["gflops"] or row["gflops"] > peak
        above = above and not any(_close_above(row, other) for other in results["kernels"])
        where = {
            "xytext": (-6 if right else 6, 5 if above else -10),
            "ha": "right" if right else "left",
        }
        axes.annotate(
            row["kernel"], point, textcoords="offset points", fontsize=8, bbox=NOTE, **where
        )
    axes.axhline(peak, color="black", label=f"multiply-adds of one core: {peak:.0f} GFLOP/s")
    axes.axhline(
        gemm,
        color="gray",
        linestyle="--",
        label=f"NumPy's product on one thread: {gemm:.0f} GFLOP/s",
    )
    axes.set(xscale="log", yscale="log", xlabel="arithmetic of the direct algorithm / number moved",
             ylabel="GFLOP/s of the direct algorithm", ylim=(50, 800))  # fmt: skip
    axes.set_xticks([20, 50, 100], ["20", "50", "100"])
    axes.set_yticks([50, 100, 200, 400, 800], ["50", "100", "200", "400", "800"])
    axes.minorticks_off()
    axes.set_title("Above the line: Winograd and sparsity do the same with less arithmetic")
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(folder / "roofline.png", dpi=100)
    figure, all_axes = plt.subplots(1, 3, figsize=(12, 4))
    for axes, (axis, data) in zip(all_axes, results["growth"].items(), strict=True):
        values, times = zip(*data["points"], strict=True)
        axes.plot(values, [1e3 * t for t in times], marker="o")
        axes.set(xscale="log", yscale="log", xlabel=axis, ylabel="ms a step")
        axes.set_xticks(values, [f"{value:g}" for value in values], fontsize=8)
        axes.minorticks_off()
        axes.set_title(f"time ~ {axis}^{data['exponent']:.2f}")
    figure.tight_layout()
    figure.savefig(folder / "growth.png", dpi=100)
    return [str(folder / "roofline.png"), str(folder / "growth.png")]


def _close_above(row, other):
    """Whether another kernel's point is so close above that their names would meet."""
    return (
        other is not row
        and 0.8 < other["intensity"] / row["intensity"] < 1.25
        and 1 <= other["gflops"] / row["gflops"] < 1.2
    )
