"""Primary keys of any BSON type: in the ORM, in the admin, in forms and in fixtures."""

from __future__ import annotations

from collections.abc import Callable

Site = Callable[[str], str]


def test_the_orm_finds_each_key(site: Site) -> None:
    site(
        """
        from django.shortcuts import get_object_or_404
        from djongo_services.object_keys import as_key
        fill()
        assert Thing.objects.count() == len(KEYS)
        for at, key in enumerate(KEYS):
            thing = Thing.objects.get(name=f"n{at}")
            assert same(thing._meta.pk.get_db_prep_value(thing.pk, connection), key), key
            if key is not None:
                assert Thing.objects.get(pk=key).name == thing.name, key
            assert get_object_or_404(Thing, pk=thing.pk).name == thing.name
            assert get_object_or_404(Thing, pk=str(thing.pk)).name == thing.name, key
            assert [t.name for t in Thing.objects.filter(pk__in=[thing.pk])] == [thing.name]
            assert Thing.objects.in_bulk([thing.pk])[thing.pk].name == thing.name
            assert Thing._meta.pk.to_python(str(thing.pk)) == thing.pk or key != key
            thing.refresh_from_db()
            thing.count = 1
            thing.save()
            assert thing.full_clean() is None
            assert Thing.objects.exclude(pk=thing.pk).count() == len(KEYS) - 1, key
        every = list(Thing.objects.all())
        assert Thing.objects.filter(pk__in=[str(each.pk) for each in every]).count() == len(KEYS)
        assert len({*every}) == len({str(each.pk) for each in every}) == len(KEYS)
        assert {type(key) for key in KEYS if type(key) is str} == {str}
        assert sorted(d["_id"] for d in things.find({"_id": {"$type": "string"}})) == sorted(
            key for key in KEYS if isinstance(key, str))
        assert things.count_documents({"count": 1}) == len(KEYS)
        listed = list(Thing.objects.order_by("name").values_list("pk", flat=True))
        assert listed == [
            None if str(thing.pk) == str(as_key(None)) else thing.pk
            for thing in Thing.objects.order_by("name")]
        for thing in every:
            thing.delete()
            assert thing.pk is None
        assert things.count_documents({}) == 0
        new = Thing(name="new")
        assert new.pk is None
        new.pk = 5
        new.save()
        assert same(things.find_one()["_id"], 5) and new.pk == 5 and str(new.pk) == "$num:5"
        """
    )


def test_the_admin_finds_what_was_linked_to(site: Site) -> None:
    site(
        """
        fill()
        page = client.get(URL + "?all=").content.decode()
        rows = re.findall(
            r'(?s)name="_selected_action" value="([^"]*)".*?<a href="([^"]*)">(n[0-9]+)</a>', page)
        assert len(rows) == len(KEYS), page
        for value, link, name in rows:
            value, link = html.unescape(value), html.unescape(link)
            at = int(name[1:])
            got = client.get(link)
            assert got.status_code == 200, (KEYS[at], link, got.headers)
            text = got.content.decode()
            assert f'value="{name}"' in text, (KEYS[at], link)
            for part in ("history", "delete"):
                urls = re.findall(rf'href="([^"]*/{part}/[^"]*)"', text)
                shown = client.get(html.unescape(urls[0]))
                assert shown.status_code == 200 and name in shown.content.decode(), KEYS[at]
            initial = html.unescape(re.search(
                r'(?s)<textarea name="id"[^>]*>(.*?)</textarea>', text)[1])
            if KEYS[at] is not None:  # the form asks for a key that is not null
                done = client.post(link, {
                    "id": initial, "name": name, "count": "3", "_continue": "1",
                    "parts-TOTAL_FORMS": "0", "parts-INITIAL_FORMS": "0",
                    "part_set-TOTAL_FORMS": "0", "part_set-INITIAL_FORMS": "0",
                }, follow=True)
                assert done.status_code == 200, done.content.decode()
                assert "was changed" in done.content.decode(), done.content.decode()
                assert f'value="{name}"' in done.content.decode()
                message = re.search(
                    r'(?s)<li class="success">.*?<a href="([^"]*)">', done.content.decode())
                there = client.get(html.unescape(message[1]))
                assert there.status_code == 200 and f'value="{name}"' in there.content.decode()
            client.post(URL, {"action": "mark", "index": "0", "_selected_action": [value]})
            found = list(things.find({"count": 7}))
            assert len(found) == 1, (KEYS[at], value, found)
            [document] = found
            assert same(document["_id"], KEYS[at]), (KEYS[at], document)
            things.update_many({}, {"$set": {"count": 0}})
        assert things.count_documents({}) == len(KEYS)
        for entry in LogEntry.objects.filter(change_message__contains="count"):
            thing = entry.get_edited_object()
            assert thing.name == entry.object_repr
            assert f'value="{thing.name}"' in client.get(
                entry.get_admin_url(), follow=True).content.decode()
        for value, link, name in rows:
            link = html.unescape(link)
            answer = client.post(re.sub("/change/([?].*)?$", "/delete/", link), {"post": "yes"})
            assert answer.status_code == 302, link
            assert not things.count_documents({"name": name}), name
            assert LogEntry.objects.filter(object_repr=name, action_flag=3).count() == 1
        fill()
        values = [html.unescape(value) for value, _, _ in rows]
        answer = client.post(
            URL, {"action": "delete_selected", "_selected_action": values, "post": "yes",
                  "index": "0"})
        assert answer.status_code == 302 and things.count_documents({}) == 0
        """
    )


def test_rows_are_edited_in_the_list(site: Site) -> None:
    site(
        """
        fill()
        every = list(Thing.objects.order_by("-pk"))
        page = client.get(URL + "?all=").content.decode()
        ids = re.findall(r'name="(form-[0-9]+-id)" value="([^"]*)"', page)
        assert len(ids) == len(KEYS), page
        data = {name: html.unescape(value) for name, value in ids}
        data |= {f"form-{at}-count": str(at + 10) for at in range(len(KEYS))}
        answer = client.post(URL + "?all=", {
            **data, "form-TOTAL_FORMS": len(KEYS), "form-INITIAL_FORMS": len(KEYS),
            "_save": "Save"})
        assert answer.status_code == 302, answer.content.decode()
        assert sorted(d["count"] for d in things.find()) == list(range(10, 10 + len(KEYS)))
        """
    )


def test_foreign_keys(site: Site) -> None:
    site(
        """
        keys = [key for key in KEYS if key is not None]
        fill(keys)
        for at in range(len(keys)):
            thing = Thing.objects.get(name=f"n{at}")
            part = Part.objects.create(thing=thing, raw=thing, auto=thing)
            part = Part.objects.select_related("thing").get(pk=part.pk)
            assert part.thing.name == part.raw.name == f"n{at}"
            assert [p.pk for p in thing.part_set.all()] == [part.pk]
            assert [p.pk for p in Part.objects.filter(thing=thing)] == [part.pk]
            assert [p.pk for p in Part.objects.filter(thing__in=[thing])] == [part.pk]
            link = reverse("admin:keyed_part_change", args=[part.pk])
            text = client.get(link).content.decode()
            selects = dict(re.findall(r'(?s)<select name="(thing|auto)".*?>(.*?)</select>', text))
            data = {}
            for name, options in selects.items():
                [chosen] = re.findall(r'<option value="([^"]*)" selected', options)
                data[name] = html.unescape(chosen)
            data["raw"] = html.unescape(re.search(
                r'<input type="text" name="raw" value="([^"]*)"', text)[1])
            assert f">n{at}</a>" in text
            Part.objects.filter(pk=part.pk).update(thing=None, raw=None, auto=None)
            answer = client.post(link, data)
            assert answer.status_code == 302, answer.content.decode()
            part.refresh_from_db()
            assert part.thing.name == part.raw.name == part.auto.name == f"n{at}", keys[at]
            stored = connection.database["keyed_part"].find_one({"_id": part.pk})
            assert same(stored["thing_id"], keys[at]), stored
            answer = client.get("/admin/autocomplete/", {
                "app_label": "keyed", "model_name": "part", "field_name": "auto",
                "term": f"n{at}"})
            results = {each["text"]: each["id"] for each in answer.json()["results"]}
            assert results[f"n{at}"] == data["auto"]
            thing.delete()
            assert not Part.objects.exists()
        empty = Part.objects.create()
        assert Part.objects.select_related("thing").get().thing is None
        assert Part.objects.get().thing_id is None
        """
    )


def test_fixtures(site: Site) -> None:
    site(
        """
        values = [*KEYS, [1, Int64(1), [None]], Regex("a", "i"), Code("f", {"a": 1}), "", {}, []]
        holders = connection.database["keyed_holder"]
        parts = connection.database["keyed_part"]
        for form in ("json", "xml", "jsonl"):
            fill([*KEYS, Int64(9)])
            holders.delete_many({}), parts.delete_many({})
            holders.insert_many(
                {"_id": ObjectId(f"{at:024}"), "required": value, "values": [value],
                 "inner": {"value": None, "label": "a"}} for at, value in enumerate(values))
            Part.objects.create(thing=Thing.objects.get(pk="1"), raw=Thing.objects.get(pk=1))
            before = list(things.find().sort("name")), list(holders.find().sort("_id"))
            parted = list(parts.find())
            path = os.path.join(os.environ["FOLDER"], "fixture." + form)
            call_command("dumpdata", "keyed.Thing", "keyed.Part", output=path, format=form)
            things.delete_many({}), parts.delete_many({})
            call_command("loaddata", path, verbosity=0)
            after = list(things.find().sort("name"))
            assert len(after) == len(before[0])
            for one, other in zip(before[0], after):
                assert same(one, {key: other[key] for key in one}), (form, one, other)
            assert same(parted[0], parts.find_one()), (form, parted, parts.find_one())
            from django.core import serializers
            field = Holder._meta.get_field("required")
            text = serializers.serialize(form, Holder.objects.order_by("pk"),
                                         fields=["required", "values"])
            loaded = [each.object for each in serializers.deserialize(form, text)]
            for value, one in zip(values, loaded, strict=True):
                if value is not None or form != "xml":
                    assert same(one.required, value), (form, value, one.required)
                assert same(one.values, [value]), (form, value, one.values)
        """
    )
