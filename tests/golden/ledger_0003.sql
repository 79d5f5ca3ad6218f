BEGIN TRANSACTION;
CREATE TABLE audit_levels (
	audit VARCHAR(12) NOT NULL, 
	p_decoy DOUBLE NOT NULL, 
	subjects INTEGER NOT NULL, 
	q_value DOUBLE NOT NULL, seal BLOB, 
	CONSTRAINT pk_audit_levels PRIMARY KEY (audit, p_decoy), 
	CONSTRAINT fk_audit_levels_audit_audits FOREIGN KEY(audit) REFERENCES audits (id) ON DELETE CASCADE
);
INSERT INTO "audit_levels" VALUES('5efdf671ade5',0.25,3,0.5,X'64FD3E085E463D6DE11474A550AD5B9D');
CREATE TABLE audit_subjects (
	audit VARCHAR(12) NOT NULL, 
	subject INTEGER NOT NULL, 
	shard INTEGER NOT NULL, seal BLOB, 
	CONSTRAINT pk_audit_subjects PRIMARY KEY (audit, subject), 
	CONSTRAINT fk_audit_subjects_audit_audits FOREIGN KEY(audit) REFERENCES audits (id) ON DELETE CASCADE, 
	CONSTRAINT fk_audit_subjects_subject_subjects FOREIGN KEY(subject) REFERENCES subjects (id) ON DELETE CASCADE
);
INSERT INTO "audit_subjects" VALUES('5efdf671ade5',1,0,X'4CAC29D007C14963E3885BE3EC7D3205');
INSERT INTO "audit_subjects" VALUES('5efdf671ade5',2,0,X'FD4D59D4D47BBB30CC1C3D5C580E7DBB');
INSERT INTO "audit_subjects" VALUES('5efdf671ade5',4,1,X'811F52157FC726B38C0FB48501747C8B');
CREATE TABLE audits (
	id VARCHAR(12) NOT NULL, 
	watchlist VARCHAR(100) NOT NULL, 
	checkpoint VARCHAR(100) NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	version INTEGER NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	options TEXT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	subjects INTEGER NOT NULL, 
	shard_size INTEGER NOT NULL, 
	list_null BLOB, 
	summary TEXT, 
	run_id VARCHAR(64), 
	created_at DATETIME NOT NULL, 
	ended_at DATETIME, seal BLOB, listed INTEGER DEFAULT '0' NOT NULL, written INTEGER, levels INTEGER, 
	CONSTRAINT pk_audits PRIMARY KEY (id)
);
INSERT INTO "audits" VALUES('5efdf671ade5','staff','m','ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',1,'dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd','{"list_decoys":true}','done',3,2,X'7B7D','{"found":0}',NULL,'2026-11-27 03:06:17.193772','2026-11-27 03:06:17.222177',X'5E568045992519ABD70E2C1E7AEDE1AF',3,3,1);
CREATE TABLE checkpoints (
	name VARCHAR(100) NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	source TEXT NOT NULL, 
	bound_at DATETIME NOT NULL, seal BLOB, 
	CONSTRAINT pk_checkpoints PRIMARY KEY (name)
);
INSERT INTO "checkpoints" VALUES('m','ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff','{"folder":"folder"}','2026-11-27 03:06:17.159439',X'F21E58101A22742AABF480DA8B5B348C');
CREATE TABLE feature_layouts (
	id INTEGER NOT NULL, 
	family_key VARCHAR(200) NOT NULL, 
	columns TEXT NOT NULL, seal BLOB, 
	CONSTRAINT pk_feature_layouts PRIMARY KEY (id), 
	CONSTRAINT uq_feature_layouts_family_key UNIQUE (family_key)
);
INSERT INTO "feature_layouts" VALUES(1,'k','[["noise",2]]',X'9BC2A66364604512B0EE6CA1F0ADE57E');
CREATE TABLE features (
	layout INTEGER NOT NULL, 
	subject INTEGER NOT NULL, 
	variant VARCHAR(16) NOT NULL, 
	payload BLOB NOT NULL, 
	CONSTRAINT pk_features PRIMARY KEY (layout, subject, variant), 
	CONSTRAINT fk_features_layout_feature_layouts FOREIGN KEY(layout) REFERENCES feature_layouts (id), 
	CONSTRAINT fk_features_subject_subjects FOREIGN KEY(subject) REFERENCES subjects (id) ON DELETE CASCADE
);
INSERT INTO "features" VALUES(1,1,'b3cd8d6a0ccdf202',X'28847990919CF4CFF46C45F4A6D4C0246931F543FD7F208E822556A3A00EDB82C738A4A0');
CREATE TABLE ledger_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT ledger_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "ledger_version" VALUES('0003');
CREATE TABLE promotions (
	id INTEGER NOT NULL, 
	model VARCHAR(100) NOT NULL, 
	version INTEGER NOT NULL, 
	alias VARCHAR(64) NOT NULL, 
	reason TEXT NOT NULL, 
	moved_at DATETIME NOT NULL, seal BLOB, 
	CONSTRAINT pk_promotions PRIMARY KEY (id)
);
INSERT INTO "promotions" VALUES(1,'m',1,'champion','first','2026-11-27 03:06:17.170594',X'97F46680819A285B1CBD31A60BDF4A46');
CREATE TABLE readings (
	id INTEGER NOT NULL, 
	job VARCHAR(64) NOT NULL, 
	read_set VARCHAR(64) NOT NULL, 
	read_at DATETIME NOT NULL, seal BLOB, 
	CONSTRAINT pk_readings PRIMARY KEY (id)
);
INSERT INTO "readings" VALUES(1,'job','labelled-test','2026-11-27 03:06:17.169659',X'32DC594D791ED95C443CE232FA36B13C');
CREATE TABLE selections (
	model VARCHAR(100) NOT NULL, 
	version INTEGER NOT NULL, 
	subject INTEGER NOT NULL, seal BLOB, 
	CONSTRAINT pk_selections_subject PRIMARY KEY (model, version, subject), 
	CONSTRAINT fk_selections_subject_subjects FOREIGN KEY(subject) REFERENCES subjects (id) ON DELETE CASCADE
);
INSERT INTO "selections" VALUES('m',1,1,X'6EB6E6392F5FB4FDC955FAC7891BE4EC');
CREATE TABLE settings (
	name VARCHAR(64) NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_settings PRIMARY KEY (name)
);
INSERT INTO "settings" VALUES('root','1:ba9397c5f16e03d9d7a296ff42193516918becd678fbadb44c27678c4310b14af647a888ee39a7f3c3c069382be0bbcc081b1f98fe7a6072ad5c8d62');
INSERT INTO "settings" VALUES('trail_head','3:b22cdd921724f3126e9b884961af7ca299aabe236e5fc88d575672e8c9b4c47e');
CREATE TABLE subjects (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	pseudonym VARCHAR(64) NOT NULL, 
	wrapped BLOB, 
	generation INTEGER, 
	sealed BLOB, seal BLOB, 
	CONSTRAINT uq_subjects_pseudonym UNIQUE (pseudonym)
);
INSERT INTO "subjects" VALUES(1,'7caa0b6ccd0c00d08503fa3830825c9afa2dfcc334738401b50fd35ce15ff0df',X'F5C8DB4910760C1C0215044AD2AA751C71A377BB21E2B31E20A98814FCD35DDF6EC8413B0763B251D19A0F74C072BD49C63113D55557FBE082FA05F9',1,X'6E37817F5AB5E038F9C39BE7999574B4C1DE473F40582CF24C7904AF95C07CBA433130DC237F2BB6',X'E8D79D81A4E172F80DD25CC92886DD6C');
INSERT INTO "subjects" VALUES(2,'1d40f4cd5809123f80603ab72eeac1965a73bded54a87771956b866f419282a9',X'AB6561A8C59E6E71C414A158B990E689A0A6030BD850FB6ED9E791523564049D126C192288370B02DE65746767F5AE79C6C245403F49DC61DD193C90',1,X'8F9548C5B1E122F36E47B07BD2A2A3CB6D793A5121ED0F43956A811BA4203EE6868464DDEDB4B0',X'E8CF649A77AE3972AD87885154738D31');
INSERT INTO "subjects" VALUES(4,'a134e1dd49318b45499e84d9efb9e00fc63b6d0820337d40787c6bf93972a4b6',X'3EA47C3E4CA163394D9CB54052239E12E26476E8382339C238F3D3364DC1D51FD407B0D39E98DC98EE9F438E61B70A7067D3D8BA4376EC38E8F508C4',1,X'1415F6521BF4F5EF34B769BF1293AEF977341E408EBAF222FA2BF1B82158EC728F7ABFACC59AD364',X'3E49552B8BD6F6F611A36D4AAF1D9BE4');
CREATE TABLE trail (
	number INTEGER NOT NULL, 
	at VARCHAR(32) NOT NULL, 
	action VARCHAR(64) NOT NULL, 
	details TEXT NOT NULL, 
	mac VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_trail PRIMARY KEY (number)
);
INSERT INTO "trail" VALUES(1,'2026-11-27T03:06:17.185+00:00','watch list imported','{"known":0,"new":3,"watchlist":"staff"}','a36cea8f9973669ce07c5a2bc93aebdded5c7c317d8ea2e61e1715d4aa55ee6e');
INSERT INTO "trail" VALUES(2,'2026-11-27T03:06:17.200+00:00','audit begun','{"audit":"5efdf671ade5","checkpoint":"m","subjects":3,"version":1,"watchlist":"staff"}','ecf5c1adb28540fd8963b6e56601080b49f2747a8924d3555be21c7336dc4353');
INSERT INTO "trail" VALUES(3,'2026-11-27T03:06:17.223+00:00','audit ended','{"audit":"5efdf671ade5","state":"done"}','052b2e3f86f605ec97b04b1a859908a7eb3aa796373e0889edf23e8a8eedeb9f');
CREATE TABLE verdicts (
	audit VARCHAR(12) NOT NULL, 
	subject INTEGER NOT NULL, 
	score DOUBLE, 
	p_decoy DOUBLE, 
	p_gibberish DOUBLE, 
	flags VARCHAR(200) NOT NULL, 
	refused VARCHAR(200), seal BLOB, 
	CONSTRAINT pk_verdicts PRIMARY KEY (audit, subject), 
	CONSTRAINT fk_verdicts_audit_audits FOREIGN KEY(audit) REFERENCES audits (id) ON DELETE CASCADE, 
	CONSTRAINT fk_verdicts_subject_subjects FOREIGN KEY(subject) REFERENCES subjects (id) ON DELETE CASCADE
);
INSERT INTO "verdicts" VALUES('5efdf671ade5',1,1.5,0.25,0.5,'',NULL,X'0FD57FC2A68840789DC0127776FFE498');
INSERT INTO "verdicts" VALUES('5efdf671ade5',2,1.5,0.25,0.5,'',NULL,X'485258A1FB82ADF042E3F7BD06125805');
INSERT INTO "verdicts" VALUES('5efdf671ade5',4,1.5,0.25,0.5,'',NULL,X'48C9451F012DF7203B4DA2BFAC84C07A');
CREATE TABLE watchlist_subjects (
	watchlist INTEGER NOT NULL, 
	subject INTEGER NOT NULL, 
	sealed BLOB, seal BLOB, 
	CONSTRAINT pk_watchlist_subjects PRIMARY KEY (watchlist, subject), 
	CONSTRAINT fk_watchlist_subjects_watchlist_watchlists FOREIGN KEY(watchlist) REFERENCES watchlists (id) ON DELETE CASCADE, 
	CONSTRAINT fk_watchlist_subjects_subject_subjects FOREIGN KEY(subject) REFERENCES subjects (id) ON DELETE CASCADE
);
INSERT INTO "watchlist_subjects" VALUES(1,2,X'0FE94B7ADBD8E705AAB35E524D285A9EF0C7F68454E9CF4E3AE5ECF73A1E1D9B597969B522A5F5E44E',X'F65EF370D7D2E7C8991B0F85514C87E4');
INSERT INTO "watchlist_subjects" VALUES(1,1,X'DAC3FDE90B219B01353E31190B8F0ECDD14B09E615FCDCB37ABCEDBE902DD202B2395CF7F5583CD510',X'640B36409AC46569F71C42715DA54E0C');
INSERT INTO "watchlist_subjects" VALUES(1,4,X'6109E5BCD3027642504A662F965C53831F7835EBED1B01796977849EAA5437A55FD11653B7A4CB816E',X'52DFBB27DD06C06E5CF6687C257F43C9');
CREATE TABLE watchlists (
	id INTEGER NOT NULL, 
	name VARCHAR(100) NOT NULL, 
	created_at DATETIME NOT NULL, seal BLOB, subjects INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_watchlists PRIMARY KEY (id), 
	CONSTRAINT uq_watchlists_name UNIQUE (name)
);
INSERT INTO "watchlists" VALUES(1,'staff','2026-11-27 03:06:17.171509',X'59ECA65821D3B27C33D2D942C21456FD',3);
CREATE INDEX ix_checkpoints_fingerprint ON checkpoints (fingerprint);
CREATE INDEX ix_readings_job ON readings (job);
CREATE INDEX ix_promotions_model ON promotions (model);
CREATE INDEX ix_subjects_generation ON subjects (generation);
CREATE INDEX ix_features_subject ON features (subject);
CREATE INDEX ix_selections_subject ON selections (subject);
CREATE INDEX ix_watchlist_subjects_subject ON watchlist_subjects (subject);
CREATE INDEX ix_audits_watchlist ON audits (watchlist);
CREATE INDEX ix_audits_checkpoint ON audits (checkpoint);
CREATE INDEX ix_audit_subjects_shard ON audit_subjects (audit, shard);
CREATE INDEX ix_audit_subjects_subject ON audit_subjects (subject);
CREATE INDEX ix_verdicts_subject ON verdicts (subject);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('subjects',5);
COMMIT;
