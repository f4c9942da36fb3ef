from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("moving", "0002_note")]
    operations = [
        migrations.AlterField("item", "amount", models.CharField(max_length=20)),
    ]
