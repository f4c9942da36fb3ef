from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("archive", "0002_medium_file"),
    ]

    operations = [
        migrations.AlterField(
            model_name="loan",
            name="code",
            field=models.CharField(max_length=16, unique=True),
        ),
    ]
