alter table santral.work_item add column begun_by uuid;
