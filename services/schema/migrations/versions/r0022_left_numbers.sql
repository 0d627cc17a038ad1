-- A handle that was left has two tombstones: its own, and that of the number until then.
alter table santral.tombstone drop constraint tombstone_pkey, add constraint tombstone_pkey primary key (workspace_id, handle_id, hash);
-- Last, for every message meets this table.
alter table santral.handle add column accounts text[] not null default '{}';
