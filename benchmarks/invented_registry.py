"""Registries of any size, invented: titles from a grammar, words as uneven as real ones."""

import numpy as np
import pandas as pd

from compendium.linkage.simulation import register_again

# one record in so many is a second registration
SECOND_REGISTRATIONS = 0.04

_CONDITIONS = """
pain|low back pain|neck pain|knee osteoarthritis|hip osteoarthritis|fibromyalgia|migraine
cluster headache|trigeminal neuralgia|postherpetic neuralgia|complex regional pain syndrome
phantom limb pain|spinal cord injury|stroke|multiple sclerosis|Parkinson's disease|epilepsy
depression|bipolar disorder|schizophrenia|anxiety|insomnia|tinnitus|autism|dementia|delirium
asthma|chronic obstructive pulmonary disease|pneumonia|tuberculosis|influenza|sepsis|malaria
HIV infection|hepatitis B|hepatitis C|type 1 diabetes|type 2 diabetes|obesity|hypertension
heart failure|atrial fibrillation|myocardial infarction|angina|peripheral artery disease
breast cancer|lung cancer|prostate cancer|colorectal cancer|gastric cancer|pancreatic cancer
ovarian cancer|cervical cancer|melanoma|glioblastoma|lymphoma|leukaemia|myeloma|sarcoma
psoriasis|eczema|acne|rheumatoid arthritis|gout|lupus|osteoporosis|fracture|sarcopenia
chronic kidney disease|urinary incontinence|overactive bladder|endometriosis|preeclampsia
infertility|preterm birth|labour pain|postoperative pain|nausea and vomiting|anaemia
Crohn's disease|ulcerative colitis|irritable bowel syndrome|reflux|cirrhosis|pancreatitis
glaucoma|cataract|macular degeneration|myopia|periodontitis|dental caries|oral mucositis
smoking|alcohol dependence|opioid use disorder|malnutrition|burns|wounds|frailty|falls
"""
_TREATMENTS = """
exercise|acupuncture|yoga|cognitive behavioural therapy|mindfulness|physiotherapy|education
transcranial direct current stimulation|repetitive transcranial magnetic stimulation
spinal cord stimulation|deep brain stimulation|vagus nerve stimulation|nerve block|ketamine
lidocaine|bupivacaine|ropivacaine|dexmedetomidine|dexamethasone|pregabalin|gabapentin|morphine
paracetamol|ibuprofen|vitamin D|probiotics|iron|metformin|insulin|aspirin|statins|radiotherapy
chemotherapy|laparoscopic surgery|robotic surgery|stent|telemedicine|a mobile application
virtual reality|laser therapy|kinesio taping|massage|music|massed practice|nutritional support
"""
_WHO = "adults|children|adolescents|older adults|women|men|pregnant women|veterans|inpatients"
_OUTCOMES = """
pain intensity|quality of life|survival|function|length of stay|opioid consumption|sleep
disease activity|progression|adherence|cognition|muscle strength|blood pressure|weight|recovery
"""
_TEMPLATES = (
    "{design} of {treatment} versus {other} for {condition} in {who}",
    "Effect of {treatment} on {outcome} in {who} with {condition}",
    "{treatment} in {who} with {condition}: {design}",
    "Efficacy and safety of {treatment} in {condition}",
    "{treatment} combined with {other} in the treatment of {condition}",
    "Comparison of {treatment} and {other} on {outcome} after {condition}",
    "A phase {phase} study of {treatment} in patients with {condition}",
    "{treatment} for {condition}",
)
_DESIGNS = (
    "A randomized controlled trial",
    "A randomized, double-blind, placebo-controlled trial",
    "An open-label study",
    "A pilot study",
    "A multicenter trial",
    "A prospective cohort study",
)
_SYLLABLES = "ba be bi bo ca ce da de fa fe ga la le li lo lu ma me mi na ne ni no pa pe ra re"
_SYLLABLES += " ri ro sa se si so ta te ti to tu va ve vi xa ze zo"
_ENDINGS = "mab nib pril sartan statin gliptin tide zole cillin vir caine azine ium olol"
_COUNTRIES = "USA CHN GBR DEU FRA ITA ESP NLD AUS CAN JPN IND IRN BRA TUR EGY KOR CHE SWE DNK"


def _words(text: str) -> list[str]:
    return [part for part in text.replace("\n", "|").split("|") if part.strip()]


def _names(count: int, endings: list[str], rng: np.random.Generator) -> list[str]:
    """Invent names of three syllables and an ending."""
    syllables = _SYLLABLES.split()
    names: dict[str, None] = {}
    while len(names) < count:
        stem = "".join(syllables[int(k)] for k in rng.integers(len(syllables), size=3))
        names[stem + endings[int(rng.integers(len(endings)))]] = None
    return list(names)


def _pick(names: list[str], count: int, rng: np.random.Generator) -> list[str]:
    """Draw names, the first far more often than the last (as words go in titles)."""
    rank = np.arange(1, len(names) + 1)
    weights = 1 / rank**0.8
    return [names[int(k)] for k in rng.choice(len(names), size=count, p=weights / weights.sum())]


def invent_registry(size: int, seed: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Invent a records table of `size` rows, some of them second registrations.

    Returns
    -------
    records, truth : DataFrame
        As `link_records` reads it, and the pairs that are one trial.
    """
    rng = np.random.default_rng(seed)
    twice = round(size * SECOND_REGISTRATIONS)
    count = size - twice
    drugs = _names(40 + count // 20, _ENDINGS.split(), rng)
    towns = [n.title() for n in _names(60 + count // 60, ["burg", "ton", "ville", "shan"], rng)]
    treatments = _words(_TREATMENTS) + [d.capitalize() for d in drugs]
    treatment, other = _pick(treatments, count, rng), _pick(treatments, count, rng)
    condition = _pick(_words(_CONDITIONS), count, rng)
    who, outcome = _pick(_WHO.split("|"), count, rng), _pick(_words(_OUTCOMES), count, rng)
    design = _pick(list(_DESIGNS), count, rng)
    country, town = _pick(_COUNTRIES.split(), count, rng), _pick(towns, count, rng)
    phases = rng.choice(["1", "2", "3", "4"], size=count)
    templates = rng.integers(len(_TEMPLATES), size=(count, 2))
    sizes = np.maximum(5, np.exp(rng.normal(4.3, 1.1, size=count))).round(-1) + 10
    starts = pd.Timestamp("2005-01-15") + pd.to_timedelta(rng.integers(0, 6000, count), unit="D")
    suffix = rng.choice(90_000_000, size=count, replace=False) + 1_000_000
    rows = []
    for k in range(count):
        said = {
            "treatment": treatment[k],
            "other": other[k],
            "condition": condition[k],
            "who": who[k],
            "outcome": outcome[k],
            "design": design[k],
            "phase": phases[k],
        }
        public, scientific = (_TEMPLATES[t].format(**said) for t in templates[k])
        rows.append(
            {
                "record_id": f"NCT{suffix[k]:08d}"
                if rng.random() < 0.6
                else f"ChiCTR20{suffix[k]:08d}",
                "public_title": public[:1].upper() + public[1:],
                "scientific_title": scientific[:1].upper() + scientific[1:],
                "sponsor": f"University of {town[k]}"
                if rng.random() < 0.6
                else f"{town[k]} General Hospital",
                "enrolment": sizes[k],
                "countries": (country[k],),
                "conditions": (condition[k],),
                "intervention_names": (treatment[k],),
                "start": starts[k].strftime("%Y-%m-%d"),
                "secondary_ids": (),
            }
        )
    first = pd.DataFrame(rows)
    first["registry"] = np.where(first.record_id.str[0] == "N", "ClinicalTrials.gov", "ChiCTR")
    chosen = sorted(rng.choice(count, size=twice, replace=False).tolist())
    second, truth = register_again(first, chosen, seed=seed)
    records = pd.concat([first, second], ignore_index=True)
    records["enrolment"] = records.enrolment.astype("Float64").astype("Int64")
    return records, truth
