alter table santral.sla_clock add column queue_id uuid;
