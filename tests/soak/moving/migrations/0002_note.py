from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("moving", "0001_initial")]
    operations = [
        migrations.AddField("item", "note", models.CharField(max_length=20, default="new")),
        migrations.AddIndex("item", models.Index(fields=["note", "number"], name="item_by_note")),
    ]
