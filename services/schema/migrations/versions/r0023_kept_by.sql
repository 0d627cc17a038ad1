alter table santral.kept_file add column kept_by text;
