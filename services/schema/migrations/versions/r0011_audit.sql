alter table santral.audit add column address text;
alter table santral.audit add column software text;
alter table santral.audit add column request_id text;
create index audit_at_ix on santral.audit (workspace_id, at, id);
