"""What the schema editor of another release creates for the models of ``tests.schema.apps.target``.

Written down from django-mongodb-backend 6.1.0 on Django 6.1.3 and Python 3.12, which refuses the
servers that the tests have; recording the indexes needs none.
"""

import datetime

from bson import Decimal128, ObjectId

INDEXES = {
    "target_keeper": [
        {
            "name": "target_keeper_code_2dc7f4b7_uniq",
            "unique": True,
            "partialFilterExpression": {"code": {"$gte": ""}},
            "key": {"code": 1},
        },
        {
            "name": "target_keeper_number_122ca537_uniq",
            "unique": True,
            "partialFilterExpression": {
                "number": {"$gte": -9223372036854775808, "$lte": 9223372036854775807}
            },
            "key": {"number": 1},
        },
        {
            "name": "target_keeper_small_ef552842_uniq",
            "unique": True,
            "partialFilterExpression": {"small": {"$gte": -2147483648, "$lte": 2147483647}},
            "key": {"small": 1},
        },
        {
            "name": "target_keeper_price_9483b7b6_uniq",
            "unique": True,
            "partialFilterExpression": {
                "price": {
                    "$gte": Decimal128("-9.999999999999999999999999999999999E+6144"),
                    "$lte": Decimal128("9.999999999999999999999999999999999E+6144"),
                }
            },
            "key": {"price": 1},
        },
        {
            "name": "target_keeper_ratio_776684d2_uniq",
            "unique": True,
            "partialFilterExpression": {
                "ratio": {"$gte": -1.7976931348623157e308, "$lte": 1.7976931348623157e308}
            },
            "key": {"ratio": 1},
        },
        {
            "name": "target_keeper_born_162c35ab_uniq",
            "unique": True,
            "partialFilterExpression": {
                "born": {
                    "$gte": datetime.datetime(1, 1, 1, 0, 0),
                    "$lte": datetime.datetime(9999, 12, 31, 23, 59, 59, 999999),
                }
            },
            "key": {"born": 1},
        },
        {
            "name": "target_keeper_seen_6335a527_uniq",
            "unique": True,
            "partialFilterExpression": {
                "seen": {
                    "$gte": datetime.datetime(1, 1, 1, 0, 0),
                    "$lte": datetime.datetime(9999, 12, 31, 23, 59, 59, 999999),
                }
            },
            "key": {"seen": 1},
        },
        {
            "name": "target_keeper_key_19c56763_uniq",
            "unique": True,
            "partialFilterExpression": {"key": {"$gte": ""}},
            "key": {"key": 1},
        },
        {
            "name": "target_keeper_blob_50384d4e_uniq",
            "unique": True,
            "partialFilterExpression": {"blob": {"$type": "binData"}},
            "key": {"blob": 1},
        },
        {"name": "target_keeper_nickname_6aae80f3", "key": {"nickname": 1}},
        {"name": "target_keeper_slug_7e803ba6", "key": {"slug": 1}},
        {"name": "target_keeper_chief_id_ac92b407", "key": {"chief_id": 1}},
        {
            "name": "target_keeper_twin_id_f4ed4d87_uniq",
            "unique": True,
            "partialFilterExpression": {
                "twin_id": {
                    "$gte": ObjectId("000000000000000000000000"),
                    "$lte": ObjectId("ffffffffffffffffffffffff"),
                }
            },
            "key": {"twin_id": 1},
        },
        {
            "name": "target_keeper_town_nickname_e44f568c_uniq",
            "unique": True,
            "partialFilterExpression": {"town": {"$gte": ""}, "nickname": {"$gte": ""}},
            "key": {"town": 1, "nickname": 1},
        },
        {
            "name": "keeper_email_town",
            "unique": True,
            "partialFilterExpression": {"email": {"$gte": ""}, "town": {"$gte": ""}},
            "key": {"email": 1, "town": 1},
        },
        {
            "name": "keeper_active_email",
            "unique": True,
            "partialFilterExpression": {"active": {"$eq": True}, "email": {"$gte": ""}},
            "key": {"email": 1},
        },
        {"name": "keeper_nulls_equal", "unique": True, "key": {"town": 1, "age": 1}},
        {"name": "keeper_town_age", "key": {"town": 1, "age": -1}},
        {"name": "target_keep_active_3dccca_idx", "key": {"active": 1}},
        {
            "name": "keeper_adults",
            "partialFilterExpression": {"age": {"$gte": 18}},
            "key": {"age": 1},
        },
        {
            "name": "keeper_email_two",
            "partialFilterExpression": {"$and": [{"active": {"$eq": True}}, {"age": {"$lt": 5}}]},
            "key": {"email": 1, "active": 1},
        },
    ],
    "target_senior": [
        {
            "name": "target_senior_keeper_ptr_id_9476be8e_uniq",
            "unique": True,
            "partialFilterExpression": {
                "keeper_ptr_id": {
                    "$gte": ObjectId("000000000000000000000000"),
                    "$lte": ObjectId("ffffffffffffffffffffffff"),
                }
            },
            "key": {"keeper_ptr_id": 1},
        },
        {"name": "target_senior_years_20c25948", "key": {"years": 1}},
    ],
    "target_site": [
        {
            "name": "target_site_opened_ca1ef6_ttl",
            "expireAfterSeconds": 172800,
            "key": {"opened": 1},
        },
        {
            "name": "a_name_that_is_much_longer_than_thirty_characters_for_the_ttl_of_closed",
            "expireAfterSeconds": 60,
            "partialFilterExpression": {"visits": {"$gt": 5}},
            "hidden": True,
            "key": {"closed": 1},
        },
        {
            "name": "target_site_title_90bdac_txt",
            "weights": {"title": 5, "address.town": 2},
            "default_language": "german",
            "language_override": "tongue",
            "key": {"title": "text", "body": "text", "address.town": "text"},
        },
        {"name": "target_site_place_c4635f_geo", "key": {"place": "2dsphere", "visits": -1}},
        {
            "name": "target_site_spot_24f727_geo",
            "bits": 20,
            "min": -90,
            "max": 90,
            "key": {"spot": "2d"},
        },
        {"name": "target_site_secret_83d0e5_hsh", "key": {"secret": "hashed"}},
        {"name": "target_site_title_c6c4f7_hsh", "key": {"title": "hashed", "visits": 1}},
        {"name": "target_site_data_fbf15b_wld", "key": {"data.$**": 1}},
        {
            "name": "site_some",
            "wildcardProjection": {"data": 1, "address.town": 1},
            "key": {"$**": 1},
        },
        {"name": "target_site_visits_04c8c0_spr", "sparse": True, "key": {"visits": 1, "title": 1}},
        {
            "name": "target_site_body_d2943c_spr",
            "sparse": True,
            "unique": True,
            "hidden": True,
            "key": {"body": 1},
        },
        {
            "name": "target_site_title_a9a847_unq",
            "unique": True,
            "partialFilterExpression": {"title": {"$type": "string"}},
            "key": {"title": 1},
            "collation": {"locale": "en", "strength": 2},
        },
        {
            "name": "site_secret",
            "unique": True,
            "partialFilterExpression": {"visits": {"$lt": 9}},
            "key": {"secret": 1, "visits": 1},
        },
        {
            "name": "target_site_opened_83a800_unq",
            "unique": True,
            "partialFilterExpression": {"opened": {"$type": "date"}, "secret": {"$type": "string"}},
            "key": {"opened": 1, "secret": 1},
        },
        {
            "name": "target_site_data_7779c9_mix",
            "key": {"data.year": -1, "title": 1},
            "collation": {"locale": "da"},
        },
        {
            "name": "site_range",
            "partialFilterExpression": {
                "title": {"$type": "string"},
                "visits": {"$gte": 1, "$lte": 5},
            },
            "key": {"visits": 1},
        },
    ],
    "target_word": [
        {
            "name": "target_word_text_e2173aba_uniq",
            "unique": True,
            "partialFilterExpression": {"text": {"$gte": ""}},
            "key": {"text": 1},
        },
        {
            "name": "target_word_text_57f8f0_txt",
            "key": {"text": "text"},
            "collation": {"locale": "simple"},
        },
    ],
    "target_keeper_friends": [
        {"name": "target_keeper_friends_from_keeper_id_80a887f8", "key": {"from_keeper_id": 1}},
        {"name": "target_keeper_friends_to_keeper_id_8d99c38b", "key": {"to_keeper_id": 1}},
        {
            "name": "target_keeper_friends_from_keeper_id_to_keeper_id_140ddec8_uniq",
            "unique": True,
            "partialFilterExpression": {
                "from_keeper_id": {
                    "$gte": ObjectId("000000000000000000000000"),
                    "$lte": ObjectId("ffffffffffffffffffffffff"),
                },
                "to_keeper_id": {
                    "$gte": ObjectId("000000000000000000000000"),
                    "$lte": ObjectId("ffffffffffffffffffffffff"),
                },
            },
            "key": {"from_keeper_id": 1, "to_keeper_id": 1},
        },
    ],
}
