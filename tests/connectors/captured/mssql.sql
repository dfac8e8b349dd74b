set lock_timeout 10000
/
create table [ERP].[NAVE_LOG_ITEM] (
  [nave_seq] bigint identity primary key,
  [nave_sign] char(1) not null,
  [nave_at] datetime2 default sysutcdatetime() not null,
  [ID] INTEGER null,
  [PART] NVARCHAR(9) COLLATE Chinese_PRC_CI_AS null
)
/
create trigger [ERP].[NAVE_LOG_ITEM_t] on [ERP].[ITEM] after insert, update, delete as
begin
  set nocount on;
  insert into [ERP].[NAVE_LOG_ITEM] ([nave_sign], [ID], [PART]) select 'C', i.[ID], i.[PART] from inserted i;
  insert into [ERP].[NAVE_LOG_ITEM] ([nave_sign], [ID], [PART]) select 'C', d.[ID], d.[PART] from deleted d where not exists (select 1 from inserted i where i.[ID] = d.[ID] and i.[PART] = d.[PART]);
end
/
insert into [ERP].[NAVE_LOG_ITEM] ([nave_sign]) values ('A')
/
drop trigger [ERP].[NAVE_LOG_ITEM_t]
/
drop table [ERP].[NAVE_LOG_ITEM]
