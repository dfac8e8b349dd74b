create table "ERP"."NAVE_LOG_ITEM" (
  "NAVE_SEQ" number(19) generated always as identity primary key,
  "NAVE_SIGN" char(1) not null,
  "NAVE_AT" timestamp default systimestamp not null,
  "ID" NUMBER(9),
  "PART" VARCHAR2(9 CHAR)
)
/
create trigger "ERP"."NAVE_LOG_ITEM_T" after insert or update or delete on "ERP"."ITEM" for each row
begin
  if inserting or updating then
    insert into "ERP"."NAVE_LOG_ITEM" ("NAVE_SIGN", "ID", "PART") values ('C', :new."ID", :new."PART");
  end if;
  if deleting or (updating and (:old."ID" <> :new."ID" or :old."PART" <> :new."PART")) then
    insert into "ERP"."NAVE_LOG_ITEM" ("NAVE_SIGN", "ID", "PART") values ('C', :old."ID", :old."PART");
  end if;
end;
/
insert into "ERP"."NAVE_LOG_ITEM" ("NAVE_SIGN") values ('A')
/
drop trigger "ERP"."NAVE_LOG_ITEM_T"
/
drop table "ERP"."NAVE_LOG_ITEM"
