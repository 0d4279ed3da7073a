"""The planted concepts: what each is, when it holds, and which topics of codes it makes likelier or rarer.

An effect is multiplied by `strength` and added to the logits of the codes of its topic. Topics are shared
between concepts on purpose: no code marks a state by itself, apart from the codes that start it. These are the concepts of
the small world; those of the full one stand in full/concepts.toml.
"""

from synthetic_lives.concept import Concept
from synthetic_lives.rules import Following, Lasting, Until

JOBS = ("manual", "office", "profession")
MOVES = ("moveurban", "moverural")
UNEMPLOYED = Until(("jobloss",), JOBS)
STUDYING = Until(("enrol",), ("graduate",))
DIABETES = Lasting(("diabetesonset",))

TOKENS = (
    Concept("back_diagnosis", "token", "A diagnosis of the back or neck", topics=("back",)),
    Concept("injury", "token", "A diagnosis of a fracture or another injury", topics=("injury",)),
    Concept("job_loss", "token", "Laid off, dismissed or workplace closed", topics=("jobloss",)),
    Concept("high_income", "token", "Income in the three highest deciles", topics=("highincome",)),
    Concept("pregnancy_care", "token", "Pregnancy, delivery and their care", topics=("pregnancy",)),
)

SPELLS = (
    Concept("unemployed", "spell", "From a job loss until the next job",
            rule=UNEMPLOYED, effects={
        "nerves": 0.7, "city": 0.6,
        "dole": 2.3, "lowincome": 2.3, "welfare": 1.2, "debt": 1.45, "renter": 0.85, "mood": 1.2,
        "highincome": -1.0, "career": -1.0, "homeowner": -0.8, "wealth": -0.6, "jobloss": -1.0,
        "manual": 0.45, "office": 0.45, "profession": 0.45, "abroad": -0.5,
    }),
    Concept("depressed", "spell", "Two years after the last depression code",
            rule=Lasting(("mood",), 2.0), effects={
        "gut": 0.7, "neuro": 0.8,
        "psychdrug": 2.3, "nerves": 2.3, "symptoms": 1.3, "sickpay": 0.85, "mood": 0.3,
        "prevention": -0.8, "career": -0.8, "abroad": -0.8, "homeowner": -0.6, "city": -0.5, "pairing": -0.8,
    }),
    Concept("after_birth", "spell", "Two years after the last birth of a child",
            rule=Lasting(("birth",), 2.0), effects={
        "skin": 0.9, "women": 0.9,
        "childcare": 2.3, "infection": 1.85, "homeowner": 1.2, "prevention": 0.85,
        "campus": -1.0, "crime": -1.0, "shifts": -0.8, "abroad": -0.8, "addiction": -0.8, "pension": -0.8,
    }),
    Concept("studying", "spell", "From an enrolment until a degree, a diploma or leaving",
            rule=STUDYING, effects={
        "abroad": 0.8, "shifts": 0.7,
        "campus": 2.3, "city": 1.85, "renter": 1.45, "training": 1.0,
        "graduate": 1.8, "enrol": -0.5, "birth": 0.95,
        "highincome": -1.0, "homeowner": -1.0, "pension": -1.0, "heartcare": -0.6, "debt": -0.5,
    }),
    Concept("on_sick_leave", "spell", "From a sick leave until the return to work or a new job",
            rule=Until(("sickstart",), ("sickend", *JOBS)), effects={
        "joints": 0.7, "neuro": 0.6,
        "sickpay": 2.3, "hospital": 1.65, "disability": 1.45, "pain": 1.2, "sickend": 1.4, "sickstart": -0.5,
        "career": -1.2, "shifts": -1.0, "training": -0.8, "crime": -0.6, "abroad": -0.6,
        "manual": -0.3, "office": -0.3, "profession": -0.3,
    }),
    Concept("diabetes", "spell", "For good, from any of four codes that may come first",
            rule=DIABETES, death=0.18, effects={
        "men": 0.5, "prevention": 0.7,
        "diabetescare": 2.3, "vascular": 1.45, "complication": 0.9, "skin": 1.3, "senses": 1.65,
        "infection": -0.6, "neuro": -0.6, "city": -0.5, "diabetesonset": -0.6, "crime": -0.5,
    }),
    Concept("heart_disease", "spell", "For good, from any of four codes that may come first",
            rule=Lasting(("heartonset",)), death=0.35, effects={
        "men": 0.8, "pension": 0.8, "symptoms": 0.6,
        "heartcare": 2.3, "vascular": 1.3, "lung": 1.45, "hospital": 1.0,
        "shifts": -0.8, "training": -0.7, "abroad": -0.8, "heartonset": -0.4, "nerves": -0.5,
    }),
)

CONJUNCTIONS = (
    Concept("manual_then_back", "conjunction", "A back diagnosis after any manual job: from then on",
            rule=Following(("back",), Lasting(("manual",))), effects={
        "psychdrug": 0.7, "men": 0.6,
        "pain": 2.3, "joints": 2.3, "disability": 1.2, "back": -0.3,
        "career": -0.8, "shifts": -0.8, "symptoms": -0.5, "abroad": -0.5,
    }),
    Concept("divorce_then_move", "conjunction",
            "A move within four years after a divorce: six years from the move",
            rule=Following(MOVES, Lasting(("divorce",), 4.0), 6.0), effects={
        "lowincome": 0.7, "addiction": 0.5,
        "custody": 2.3, "debt": 1.45, "renter": 1.65, "kin": 1.45,
        "homeowner": -1.0, "pairing": -0.6, "training": -0.6, "prevention": -0.5, "divorce": -0.8,
    }),
    Concept("depressed_while_unemployed", "conjunction",
            "A depression code while unemployed: six years from the last one",
            rule=Following(("mood",), UNEMPLOYED, 6.0), effects={
        "trauma": 0.8, "lung": 0.7,
        "addiction": 2.3, "welfare": 2.3, "gut": 1.65, "crime": 1.0,
        "wealth": -1.0, "prevention": -0.8, "midincome": -0.6, "senses": -0.5,
    }),
    Concept("diabetes_then_complication", "conjunction",
            "An ulcer, eye, kidney or nerve disorder after diabetes has begun: from then on",
            rule=Following(("complication",), DIABETES), effects={
        "heartcare": 0.7, "pain": 0.5,
        "hospital": 1.85, "disability": 1.85, "tumour": 1.65, "pension": 1.2,
        "career": -0.8, "lung": -0.5, "country": -0.5, "prevention": -0.6,
    }),
    Concept("birth_while_studying", "conjunction", "A birth during studies: six years from the birth",
            rule=Following(("birth",), STUDYING, 6.0), effects={
        "office": 0.8, "prevention": 0.6,
        "training": 2.3, "kin": 2.3, "women": 1.3, "midincome": 1.3,
        "career": -0.8, "manual": -0.6, "gut": -0.5, "wealth": -0.6,
    }),
    Concept("injury_then_sick_leave", "conjunction",
            "A sick leave within three years after an injury: five years from its start",
            rule=Following(("sickstart",), Lasting(("injury",), 3.0), 5.0), effects={
        "psychdrug": 0.7, "joints": 0.8,
        "trauma": 2.3, "neuro": 2.3, "disability": 1.0, "pain": 0.85,
        "shifts": -0.8, "wealth": -0.5, "infection": -0.5, "skin": -0.5,
    }),
)

PERSONS = (
    Concept("female", "person", "Sex of the person", death=-0.2, effects={
        "women": 0.7, "pregnancy": 0.6, "office": 0.8, "neuro": 0.65, "crime": -0.9, "manual": -0.65,
    }),
    Concept("low_class", "person", "Household in the lower 40% of social class", effects={
        "lowincome": 1.25, "manual": 1.1, "welfare": 0.8, "renter": 0.8, "debt": 0.65,
        "profession": -1.3, "wealth": -1.05, "highincome": -1.05,
    }),
    Concept("high_class", "person", "Household in the upper 20% of social class", effects={
        "highincome": 1.45, "profession": 1.55, "wealth": 1.55, "career": 0.9, "abroad": 0.65,
        "manual": -1.3, "welfare": -1.05, "debt": -1.05,
    }),
    Concept("frail", "person", "The frailest fifth: more illness of every kind", death=0.3, effects={
        "symptoms": 1.1, "lung": 1.25, "gut": 1.1, "joints": 0.8, "hospital": 0.8, "tumour": 0.8,
        "prevention": -0.5, "career": -0.5,
    }),
    Concept("rural", "person", "Household in a rural region", effects={
        "country": 1.45, "moverural": 0.9, "homeowner": 0.65, "shifts": 0.45,
        "city": -1.55, "moveurban": -0.5,
    }),
    Concept("migrant_origin", "person", "Born abroad, or to parents born abroad", abroad=0.3, effects={
        "abroad": 2.0, "training": 0.9, "skin": 0.8, "country": -1.05, "homeowner": -0.5,
    }),
    Concept("risk_taking", "person", "The eighth who takes most risks", death=0.2, effects={
        "crime": 2.0, "injury": 0.9, "trauma": 0.8, "addiction": 0.9, "prevention": -0.9, "wealth": -0.5,
    }),
    Concept("rare_metabolism", "person", "A rare metabolic trait, one person in two hundred", effects={
        "rarelab": 2.45, "gut": 1.1, "tumour": 1.1, "vascular": -0.65,
    }),
)

CONCEPTS = TOKENS + SPELLS + CONJUNCTIONS + PERSONS
