from django.db import migrations, models
from django_mongodb_backend.fields import ObjectIdAutoField


def key():
    return ObjectIdAutoField(
        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
    )


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            "Account",
            fields=[
                ("id", key()),
                ("number", models.IntegerField(unique=True)),
                ("balance", models.IntegerField()),
            ],
        ),
        migrations.CreateModel(
            "Paper",
            fields=[
                ("id", key()),
                ("title", models.CharField(max_length=60)),
                ("file", models.FileField(max_length=200, upload_to="papers")),
            ],
            options={"indexes": [models.Index(fields=["title"], name="paper_by_title")]},
        ),
        migrations.CreateModel(
            "Transfer",
            fields=[
                ("id", key()),
                ("name", models.CharField(max_length=60)),
                ("giver", models.IntegerField()),
                ("taker", models.IntegerField()),
                ("amount", models.PositiveIntegerField()),
                ("part", models.CharField(max_length=10)),
            ],
            options={
                "indexes": [models.Index(fields=["name", "part"], name="transfer_by_name")],
                "constraints": [
                    models.CheckConstraint(
                        condition=~models.Q(giver=models.F("taker")), name="transfer_between_two"
                    )
                ],
            },
        ),
    ]
