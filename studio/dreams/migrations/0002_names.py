from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("dreams", "0001_initial")]

    operations = [
        migrations.RenameField("dream", "knobs", "settings"),
        migrations.RenameField("dream", "wish", "request"),
        migrations.RenameField("dream", "deaths", "crashes"),
    ]
