alter table santral.queue add column items_max integer;
alter table santral.queue_member add column items_max integer;
alter table santral.agent add column turns jsonb not null default '{}';
alter table santral.agent add column new_items jsonb;
alter table santral.agent add column recent jsonb not null default '[]';
