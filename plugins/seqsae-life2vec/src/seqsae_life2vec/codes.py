"""Parents of codes, where a data set brings its code table."""


def parents_of(records) -> dict[str, list[str]]:
    """Code to its parent codes, from the `code_table` of a Dataset (MEDS `metadata/codes.parquet`); empty without one."""
    table = getattr(records, "code_table", None)
    if table is None:
        return {}
    rows = table.select("code", "parent_codes").iter_rows()
    return {code: list(above) for code, above in rows if above}
