"""The vocabulary of the demo's museum."""

# ruff: noqa: SIM905 - a line of words is easier to read than forty quoted ones

GIVEN = (
    "Ada Agnes Amir Anneke Asha Björn Carla Chidi Dorothea Elif Emil Fatima Finn Grace Hanna "
    "Hiro Ines Ivo Jamila Jonas Kamala Karin Lars Leila Luca Maren Mateo Mira Nadia Niels Noor "
    "Olga Oskar Pia Priya Rafael Rosa Samuel Sigrid Tariq Thea Tomas Ulla Vera Wanda Yusuf Zoë"
).split()
FAMILY = (
    "Abel Almeida Andersen Bakker Banerjee Barth Bianchi Castro Chen Dahl Demir Dubois Eriksen "
    "Fischer Fontaine Garcia Haddad Hansen Ito Jansen Kaya Keller Khan Kowalski Larsen Lindqvist "
    "Marino Mensah Meyer Moreau Müller Nakamura Novák Okafor Olsen Petrov Rao Rossi Sato Silva"
).split()
LANGUAGES = ("en", "de", "fr", "da", "hi", "pt-br", "tr", "ja")
PLACES = (
    ("Alder Fen", "DK", 11.6, 55.1, 4),
    ("Aravalli Ridge", "IN", 73.1, 24.9, 722),
    ("Bay of Kotor", "ME", 18.7, 42.5, 0),
    ("Black Tarn", "GB", -3.1, 54.4, 310),
    ("Cerro Azul", "EC", -91.4, -0.9, 1640),
    ("Dovrefjell", "NO", 9.3, 62.3, 1280),
    ("Eifel Quarry", "DE", 6.9, 50.3, 480),
    ("Fogo Rim", "CV", -24.3, 14.9, 2100),
    ("Glen Affric", "GB", -5.0, 57.3, 250),
    ("Hokkaido Marsh", "JP", 144.3, 43.1, 12),
    ("Isla Verde", "CL", -73.5, -43.2, 30),
    ("Jura Meadow", "CH", 6.9, 47.1, 1010),
    ("Karoo Pan", "ZA", 22.5, -32.3, 940),
    ("Lake Tana", "ET", 37.3, 12.0, 1788),
    ("Mull Shore", "GB", -6.1, 56.4, 2),
    ("Nullarbor Edge", "AU", 129.1, -31.6, 67),
    ("Oulanka Bend", "FI", 29.3, 66.3, 160),
    ("Pico Alto", "PT", -25.1, 36.9, 580),
    ("Reykjanes", "IS", -22.7, 63.8, 25),
    ("Saltee Cliff", "IE", -6.6, 52.1, 58),
)
SUBJECTS = (
    "Alpine flora|Basalt columns|Beetle traps|Bird counts|Bog cores|Cave drawings|Coin hoard|"
    "Coral transect|Drift ice|Fern gametophytes|Fossil bed|Frog chorus|Grave goods|Hoverflies|"
    "Lichen survey|Loom weights|Moss samples|Otter tracks|Peat section|Pollen slides|Pottery|"
    "Runic stone|Seal haul-out|Shell midden|Soil profile|Spider webs|Spring water|Tree rings"
).split("|")
TAGS = (
    "amphibia archaeology bird botany ceramics coast cores fossil geology ice insect island "
    "lichen mammal moss mountain oral-history photograph river soil spring trace wetland winter"
).split()
SENTENCES = (
    "The light was poor until noon, and we measured twice.",
    "Two samples went to the cold room, one stays with the drawing.",
    "The path along the water is gone since the storm.",
    "Our guide remembers a wall here that no map shows.",
    "Nothing moved before dusk; then everything did.",
    "The scale was checked against the brass weights.",
    "See the plate for the outline, which I could not finish in the wind.",
    "Compare with the notes of the previous summer.",
    "The label was written later and from memory.",
    "A second visit is needed when the ground is dry.",
)
MEASURES = (
    ("water temperature", "°C", 2.0, 22.0),
    ("depth", "m", 0.1, 14.0),
    ("length", "mm", 3.0, 900.0),
    ("mass", "g", 0.2, 480.0),
    ("acidity", "pH", 4.1, 8.9),
)
MEDIA = (
    ("jpg", "image/jpeg"),
    ("tif", "image/tiff"),
    ("wav", "audio/wav"),
    ("pdf", "application/pdf"),
)
SEARCHES = (
    "otter|moss samples|island birds|who lent the glass plates|peat|1931|spring water|lichen|"
    "coin hoard drawing|winter notes|Lake Tana|basalt"
).split("|")
