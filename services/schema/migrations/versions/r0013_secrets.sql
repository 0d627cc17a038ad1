alter table santral.inbox add column grace boolean not null default false;
update santral.inbox set grace = true;
