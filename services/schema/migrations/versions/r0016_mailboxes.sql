alter table santral.inbox add column mailbox text;
alter table santral.inbox add column mailbox_at timestamptz;
