from django.db import migrations

RENAMED = {"calm": "tv", "pull_mean": "decay", "pull_base": "anchor"}


def rename_settings(apps, schema_editor):
    for dream in apps.get_model("dreams", "Dream").objects.only("settings").iterator():
        values = {RENAMED.get(name, name): value for name, value in dream.settings.items()}
        if values != dream.settings:
            dream.settings = values
            dream.save(update_fields=["settings"])


class Migration(migrations.Migration):
    dependencies = [("dreams", "0001_initial")]

    operations = [
        migrations.RenameField("dream", "knobs", "settings"),
        migrations.RenameField("dream", "wish", "request"),
        migrations.RenameField("dream", "deaths", "crashes"),
        migrations.RunPython(rename_settings, migrations.RunPython.noop),
    ]
