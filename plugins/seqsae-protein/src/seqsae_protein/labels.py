"""What the labels of the antibody table mean: the entries of its covariate schema."""

COVARIATES = [
    {
        "name": "species",
        "type": "categorical",
        "role": "target",
        "level": "subject",
        "within": ["locus"],
        "description": "species of the V and J gene: human or mouse",
    },
    {
        "name": "locus",
        "type": "categorical",
        "role": "target",
        "level": "subject",
        "description": "heavy (IGH), kappa (IGK) or lambda (IGL) chain; residue composition alone tells them apart",
    },
    {
        "name": "v_family",
        "type": "categorical",
        "role": "target",
        "level": "subject",
        "within": ["species", "locus"],
        "description": "family of the V gene, for example IGHV3",
    },
    {
        "name": "mutated_copy",
        "type": "binary",
        "role": "target",
        "level": "subject",
        "positive": "yes",
        "description": "synthetic: yes if about 6% of the residues were substituted at random",
    },
    {
        "name": "length",
        "type": "continuous",
        "role": "confounder",
        "level": "subject",
        "unit": "residues",
        "description": "residues of the domain; in heavy chains partly the length of a random junction",
    },
    {
        "name": "coin",
        "type": "binary",
        "role": "negative-control",
        "level": "subject",
        "positive": "heads",
        "description": "synthetic: a fair coin tossed for every domain; nothing should go with it",
    },
    {
        "name": "region",
        "type": "categorical",
        "role": "target",
        "level": "token",
        "description": "IMGT region of the residue, FR1, CDR1, ... FR4; position alone nearly tells it",
    },
]
