"""What age, sex and season do to the codes of the small world: no planted concept, and it does not grow with `strength`."""

AGE_BANDS = ((0, 23), (23, 30), (30, 40), (40, 50), (50, 60), (60, 200))
"""Years of age, lower bound included."""

AGE_EFFECTS = (
    {
        "enrol": 1.8,
        "campus": 0.6,
        "pairing": 0.2,
        "birth": -0.6,
        "divorce": -2.0,
        "pension": -3.0,
        "heartonset": -3.0,
        "diabetesonset": -2.0,
        "complication": -2.0,
        "heartcare": -1.0,
        "highincome": -0.8,
        "tumour": -1.0,
    },
    {
        "enrol": 0.9,
        "campus": 0.2,
        "pairing": 0.8,
        "birth": 0.9,
        "divorce": -0.3,
        "pension": -3.0,
        "heartonset": -2.0,
        "diabetesonset": -0.8,
        "pregnancy": 0.8,
        "tumour": -0.6,
    },
    {
        "pairing": 0.3,
        "birth": 0.6,
        "divorce": 0.4,
        "pension": -2.0,
        "pregnancy": 0.4,
        "enrol": -0.6,
        "heartonset": -0.8,
        "career": 0.3,
    },
    {
        "birth": -2.0,
        "pregnancy": -2.0,
        "divorce": 0.4,
        "pension": -1.0,
        "enrol": -1.5,
        "campus": -0.6,
        "highincome": 0.3,
    },
    {
        "birth": -4.0,
        "pregnancy": -4.0,
        "enrol": -2.5,
        "campus": -1.0,
        "heartonset": 0.7,
        "diabetesonset": 0.4,
        "vascular": 0.5,
        "joints": 0.4,
        "senses": 0.4,
        "childcare": -1.5,
    },
    {
        "birth": -6.0,
        "pregnancy": -6.0,
        "enrol": -3.0,
        "campus": -2.0,
        "pension": 1.6,
        "heartonset": 1.0,
        "heartcare": 0.6,
        "vascular": 0.8,
        "senses": 0.8,
        "tumour": 0.6,
        "jobloss": -1.5,
        "manual": -0.8,
        "office": -0.8,
        "profession": -0.8,
        "childcare": -2.0,
        "custody": -1.0,
    },
)
"""For each age band: topic to effect on the logits of its codes."""

SEX_EFFECTS = ({"pregnancy": -1.5, "women": -1.5}, {"men": -1.5})
"""What is rarer in men, and what is rarer in women; not absent, since no code may give a trait away."""

WINTER, SUMMER, TERM = (11, 0, 1), (5, 6, 7), (7, 8)
"""Months, January is 0."""

MONTH_EFFECTS = tuple(
    {
        **({"infection": 0.5, "lung": 0.3, "injury": 0.25, "mood": 0.2} if month in WINTER else {}),
        **({"birth": 0.15, "abroad": 0.3, "country": 0.2, "infection": -0.3} if month in SUMMER else {}),
        **({"enrol": 1.0, "childcare": 0.2} if month in TERM else {}),
        **({"graduate": 0.7, "pairing": 0.2} if month == 5 else {}),
        **({"career": 0.3, "wealth": 0.2} if month == 11 else {}),
    }
    for month in range(12)
)
"""For each month: topic to effect on the logits of its codes."""
