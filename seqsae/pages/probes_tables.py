"""What the page of probes and its text show, from the tables of `seqsae.associations.probing`."""

import polars as pl

from seqsae.pages.sources import in_order, strength

TOLD = 0.1  # strength of the site's dense probe from which its share kept by features is told
NAMED = pl.concat_str(pl.col("covariate"), pl.concat_str(pl.lit(" = "), "category").fill_null(""))


def named(probes: pl.DataFrame) -> pl.DataFrame:
    """Schema `probes` with `label` (covariate and category) and `reads` (units read: k, or `all`)."""
    return probes.with_columns(label=NAMED, reads=pl.col("k").cast(pl.String).fill_null("all"))


def site_of(probes: pl.DataFrame) -> str | None:
    """The SAE's own site, or the one whose units are probed in its stead."""
    for basis in ("sae", "pca", "random-dictionary", "neuron"):
        sites = probes.filter(pl.col("basis") == basis)["site"].drop_nulls()
        if len(sites):
            return sites[0]
    return None


def ranked(probes: pl.DataFrame) -> list[str]:
    """Labels, those that the SAE's features say most of first: by the dense probe on them, or the best there is without."""
    rows = probes.with_columns(away=strength())
    of_sae = rows.filter(pl.col("basis") == "sae") if "sae" in rows["basis"] else rows
    of_sae = of_sae.filter(pl.col("probe") == "dense") if "dense" in of_sae["probe"] else of_sae
    best = (
        of_sae.group_by("label")
        .agg(pl.col("away").max())
        .sort("away", "label", descending=[True, False], nulls_last=True)
    )
    return best["label"].to_list()


def overview(probes: pl.DataFrame) -> pl.DataFrame:
    """A row a target: label, effect_name, n, n_positive, `confounders`, and a column a probe, `<basis> <k or all>`; then the gain.

    Neurons and components have their dense probe alone, which for both reads the whole site.
    """
    site = site_of(probes)
    mine = probes.filter(pl.col("site").is_null() | (pl.col("site") == site))
    kept = mine.filter((pl.col("probe") == "dense") | (pl.col("basis") == "sae"))
    kept = kept.filter(pl.col("basis").is_in(["confounders", "token", "neuron", "sae"]))
    wide = kept.with_columns(column=pl.col("basis") + " " + pl.col("reads")).pivot(
        on="column", index="label", values="effect", aggregate_function="first"
    )
    facts = probes.unique("label", keep="first", maintain_order=True).select(
        "label", "kind", "effect_name", "n", "n_positive"
    )
    gains = probes.filter((pl.col("basis") == "sae") & (pl.col("probe") == "dense")).select(
        "label", "gain", "gain_low", "gain_high"
    )
    order = pl.DataFrame({"label": ranked(probes)})
    table = order.join(facts, on="label", how="left", maintain_order="left")
    table = table.join(wide, on="label", how="left", maintain_order="left")
    return table.join(gains, on="label", how="left", maintain_order="left")


def kept_shares(probes: pl.DataFrame) -> pl.DataFrame:
    """`reads`, `share`, `n`: median over targets of the strength of the SAE's probe over that of the dense probe on the site.

    Of targets that the dense probe on the site's own dimensions tells with a strength of TOLD at least.
    """
    rows = probes.with_columns(away=strength())
    whole = rows.filter(
        (pl.col("basis") == "neuron") & (pl.col("probe") == "dense") & (pl.col("site") == site_of(probes))
    ).select("label", whole="away")
    told = rows.filter(pl.col("basis") == "sae").join(whole.filter(pl.col("whole") >= TOLD), on="label")
    share = told.with_columns(share=pl.col("away") / pl.col("whole"))
    return (
        share.group_by("reads", "k", maintain_order=True)
        .agg(pl.col("share").median(), n=pl.len())
        .sort("k", nulls_last=True)
    )


def sites(probes: pl.DataFrame) -> pl.DataFrame:
    """A row a target: effect_name, and under each site's name the effect of the dense probe on it; empty with one site."""
    rows = probes.filter((pl.col("basis") == "neuron") & (pl.col("probe") == "dense"))
    if rows["site"].n_unique() < 2:
        return pl.DataFrame()
    wide = rows.pivot(on="site", index=["label", "effect_name"], values="effect", aggregate_function="first")
    order = pl.DataFrame({"label": ranked(probes)})
    return order.join(wide, on="label", how="inner", maintain_order="left")


def losses(table: pl.DataFrame) -> pl.DataFrame:
    """Schema `probe_losses` with `saved`: the share of the base rate's entropy that the best unit saves."""
    return table.with_columns(saved=1 - pl.col("loss") / pl.col("entropy"))


def loss_overview(table: pl.DataFrame) -> pl.DataFrame:
    """A row a concept: entropy, the SAE's best unit and loss, and every other source's loss."""
    first = table.filter(pl.col("source") == "sae") if "sae" in table["source"] else table
    facts = first.unique(["concept", "origin"], keep="first", maintain_order=True).select(
        "concept", "origin", "unit", "n", "n_positive", "entropy", "best_unit", "loss_select"
    )
    wide = table.pivot(on="source", index=["concept", "origin"], values="loss", aggregate_function="first")
    wide = wide.select("concept", "origin", *in_order(set(table["source"])))
    return facts.join(wide, on=["concept", "origin"], how="left", maintain_order="left")
