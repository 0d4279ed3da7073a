"""A profile by hand, and the margins it is put together from."""


def once(*bins, integer: bool = False, missing: int = 0) -> dict:
    rows = [{"low": low, "high": high, "subjects": n, "mean": mean} for low, high, n, mean in bins]
    return {"integer": integer, "bins": rows, "missing": missing}


def often(*bins, integer: bool = False, **more) -> dict:
    rows = [
        {"low": low, "high": high, "subjects": 500, "share": share, "mean": mean} for low, high, share, mean in bins
    ]
    return {"integer": integer, "subjects": 500, "bins": rows, **more}


def levels(other: int = 0, missing: int = 0, **sizes: int) -> dict:
    return {"levels": [{"value": name, "subjects": n} for name, n in sizes.items()], "other": other, "missing": missing}


def mentions(**shares: float) -> dict:
    return {
        "subjects": 400,
        "levels": [{"value": name, "subjects": 200, "share": share} for name, share in shares.items()],
    }


def code(name: str, subjects: int, per_subject: float | None = 1.0, values: dict | None = None) -> dict:
    return {
        "code": name,
        "parent": "DIAG" if name.startswith("DIAG") else None,
        "subjects": subjects,
        "per_subject": per_subject,
        "values": values,
    }


def covariate(name: str, kind: str, margin: dict | None, **schema) -> dict:
    margins = {} if margin is None else {name: margin}
    return {"schema": {"name": name, "type": kind, "level": "subject", "role": "target", **schema}, "margins": margins}


def profile() -> dict:
    """A profile by hand, with something of everything."""
    crp = often((None, 5.0, 0.25, 4.0), (5.0, 7.0, 0.5, 6.0), (7.0, None, 0.25, 9.0), share=0.8)
    events = {
        "codes": [
            code("DIAG//A", 400, 2.0),
            code("DIAG//B", 200, 1.0),
            code("LAB//CRP", 300, 1.0, crp),
            code("OTHER", 100, None),
        ],
        "static_codes": [code("SEX//F", 260), code("SEX//M", 240)],
        "birth": 500,
        "death": 100,
        "per_subject": once((None, 5.0, 100, 3.0), (5.0, 9.0, 300, 6.5), (9.0, None, 100, 12.0), integer=True),
        "at_once": often((None, 2.0, 0.7, 1.0), (2.0, None, 0.3, 2.5), integer=True),
        "gap_days": often((None, 30.0, 0.5, 12.0), (30.0, None, 0.5, 100.0), integer=True),
        "year_first": once((None, 2005.0, 250, 2003.0), (2005.0, None, 250, 2007.0), integer=True),
        "year_last": once((None, 2012.0, 250, 2010.0), (2012.0, None, 250, 2015.0), integer=True),
        "age_first": once((None, 40.0, 250, 30.0), (40.0, None, 250, 55.0), integer=True),
        "age_last": once((None, 48.0, 250, 40.0), (48.0, None, 250, 66.0), integer=True),
    }
    policy = {"name": "default", "public": False, "min_subjects": 10, "min_clusters": 5, "round_to": 10,
              "dominance_top": 2, "dominance_share": 0.85, "p_ratio": 0.1, "digits": 3}  # fmt: skip
    return {
        "format": 1, "note": "by hand", "policy": policy, "kind": "events", "subjects": 500, "id_type": "int", "events": events, "sequences": None,
        "clusters": once((None, 2.0, 200, 1.0), (2.0, 3.0, 200, 2.0), (3.0, None, 100, 4.0), integer=True),
        "splits": levels(train=300, tuning=100, held_out=80, missing=20),
        "covariates": [
            covariate("smoker", "binary", levels(yes=100, no=350, missing=50), positive="yes"),
            covariate("rare", "binary", levels(no=500), positive="other"),
            covariate("region", "categorical", levels(north=300, south=150, other=50)),
            covariate("grade", "ordinal", levels(low=300), order=["low"]),
            covariate("stage", "ordinal", levels(other=400, missing=100)),
            covariate("age", "continuous", once((None, 40.0, 250, 30.0), (40.0, None, 200, 55.5), missing=50)),
            covariate("withheld", "continuous", once(missing=500)),
            {"schema": {"name": "death", "type": "survival", "level": "subject", "role": "target", "time": "years", "event": "died"}, "margins": {}},
        ],
        "annotations": [
            {"covariate": "state", "per_subject": once((None, 1.0, 400, 0.0), (1.0, None, 100, 1.5), integer=True),
             "length": often((None, None, 1.0, 3.0), integer=True), "values": mentions(ill=1.0)},
        ],
        "labels": [
            {"name": "readmitted", "per_subject": once((None, 1.0, 100, 0.0), (1.0, None, 400, 1.2), integer=True),
             "seen": often((None, 0.5, 0.5, 0.3), (0.5, None, 0.5, 0.9)), "values": {"boolean_value": mentions(false=0.7, true=0.3)}},
        ],
    }  # fmt: skip
