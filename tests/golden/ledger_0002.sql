BEGIN TRANSACTION;
CREATE TABLE audit_levels (
	audit VARCHAR(12) NOT NULL, 
	p_decoy DOUBLE NOT NULL, 
	subjects INTEGER NOT NULL, 
	q_value DOUBLE NOT NULL, 
	CONSTRAINT pk_audit_levels PRIMARY KEY (audit, p_decoy), 
	CONSTRAINT fk_audit_levels_audit_audits FOREIGN KEY(audit) REFERENCES audits (id) ON DELETE CASCADE
);
INSERT INTO "audit_levels" VALUES('33da15357c06',0.25,3,0.5);
CREATE TABLE audit_subjects (
	audit VARCHAR(12) NOT NULL, 
	subject INTEGER NOT NULL, 
	shard INTEGER NOT NULL, 
	CONSTRAINT pk_audit_subjects PRIMARY KEY (audit, subject), 
	CONSTRAINT fk_audit_subjects_audit_audits FOREIGN KEY(audit) REFERENCES audits (id) ON DELETE CASCADE, 
	CONSTRAINT fk_audit_subjects_subject_subjects FOREIGN KEY(subject) REFERENCES subjects (id) ON DELETE CASCADE
);
INSERT INTO "audit_subjects" VALUES('33da15357c06',1,0);
INSERT INTO "audit_subjects" VALUES('33da15357c06',2,0);
INSERT INTO "audit_subjects" VALUES('33da15357c06',4,1);
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
	ended_at DATETIME, 
	CONSTRAINT pk_audits PRIMARY KEY (id)
);
INSERT INTO "audits" VALUES('33da15357c06','staff','m','ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',1,'dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd','{"list_decoys":true}','done',3,2,X'7B7D','{"found":0}',NULL,'2026-11-27 02:11:21.148214','2026-11-27 02:11:21.155894');
CREATE TABLE checkpoints (
	name VARCHAR(100) NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	source TEXT NOT NULL, 
	bound_at DATETIME NOT NULL, 
	CONSTRAINT pk_checkpoints PRIMARY KEY (name)
);
INSERT INTO "checkpoints" VALUES('m','ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff','{"folder":"folder"}','2026-11-27 02:11:21.135722');
CREATE TABLE feature_layouts (
	id INTEGER NOT NULL, 
	family_key VARCHAR(200) NOT NULL, 
	columns TEXT NOT NULL, 
	CONSTRAINT pk_feature_layouts PRIMARY KEY (id), 
	CONSTRAINT uq_feature_layouts_family_key UNIQUE (family_key)
);
INSERT INTO "feature_layouts" VALUES(1,'k','[["noise",2]]');
CREATE TABLE features (
	layout INTEGER NOT NULL, 
	subject INTEGER NOT NULL, 
	variant VARCHAR(16) NOT NULL, 
	payload BLOB NOT NULL, 
	CONSTRAINT pk_features PRIMARY KEY (layout, subject, variant), 
	CONSTRAINT fk_features_layout_feature_layouts FOREIGN KEY(layout) REFERENCES feature_layouts (id), 
	CONSTRAINT fk_features_subject_subjects FOREIGN KEY(subject) REFERENCES subjects (id) ON DELETE CASCADE
);
INSERT INTO "features" VALUES(1,1,'cbf76fa5823f1d81',X'BC5FCA471031C8B3EB2FB14292CD3B0320CE1409E978C0E00979784C8CB3418352E6751B');
CREATE TABLE ledger_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT ledger_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "ledger_version" VALUES('0002');
CREATE TABLE promotions (
	id INTEGER NOT NULL, 
	model VARCHAR(100) NOT NULL, 
	version INTEGER NOT NULL, 
	alias VARCHAR(64) NOT NULL, 
	reason TEXT NOT NULL, 
	moved_at DATETIME NOT NULL, 
	CONSTRAINT pk_promotions PRIMARY KEY (id)
);
INSERT INTO "promotions" VALUES(1,'m',1,'champion','first','2026-11-27 02:11:21.138692');
CREATE TABLE readings (
	id INTEGER NOT NULL, 
	job VARCHAR(64) NOT NULL, 
	read_set VARCHAR(64) NOT NULL, 
	read_at DATETIME NOT NULL, 
	CONSTRAINT pk_readings PRIMARY KEY (id)
);
INSERT INTO "readings" VALUES(1,'job','labelled-test','2026-11-27 02:11:21.138365');
CREATE TABLE selections (
	model VARCHAR(100) NOT NULL, 
	version INTEGER NOT NULL, 
	subject INTEGER NOT NULL, 
	CONSTRAINT pk_selections_subject PRIMARY KEY (model, version, subject), 
	CONSTRAINT fk_selections_subject_subjects FOREIGN KEY(subject) REFERENCES subjects (id) ON DELETE CASCADE
);
INSERT INTO "selections" VALUES('m',1,1);
CREATE TABLE settings (
	name VARCHAR(64) NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_settings PRIMARY KEY (name)
);
INSERT INTO "settings" VALUES('root','1:99133a84aea7790cd8c4c169c589268e0a0dfe36b5a0ee6dbbea40cf603de6dab8fbf429c6f2e1ff517e65ea42d239f3deefc8ac04dfa37f8eac9640');
INSERT INTO "settings" VALUES('trail_head','3:fab5389f14c67edcabd81e4d9ea03cad05abcf3cc8214cbcc7b318e30df32a10');
CREATE TABLE subjects (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	pseudonym VARCHAR(64) NOT NULL, 
	wrapped BLOB, 
	generation INTEGER, 
	sealed BLOB, 
	CONSTRAINT uq_subjects_pseudonym UNIQUE (pseudonym)
);
INSERT INTO "subjects" VALUES(1,'1efb20d893e722555d1d5f3a35c955a17874f0ef2a26dd4922092ece6799c5b5',X'3C54C156068F722FDA5158A5D6C00B7E9C327919E0A51E935690D4E48D4BAFA5BDC3EFFC9EA7801D38C9F6E2F8067FF3D6AFE85B1FA7D6868C823F9D',1,X'9F3F169D592854FA2E7E0F3CB807C5D308EBD9CAEB6A1442209E3D405FCC5D8B6DE20503613A0315');
INSERT INTO "subjects" VALUES(2,'0df30110c9fe935ef5e95fcff813eaea3445514c7cb60980c482c3b3153d1038',X'C74CB4C9AFF72CC0077AFBDBD82562F29254B55A1962EF69A05F381BF0681DE695FF46E5E9D84448D026D80EE394DAC09F06372474F0702AB2F0EFFF',1,X'5C4D10EBFFFF27232269BCFBD4883FBC773ED7B28B099047E212E283610A334B708A550C7154FDF2');
INSERT INTO "subjects" VALUES(4,'55662736edbe2c233f0cd32f261b36d871b722f273cafce4db1dfaff9ddab22f',X'E38B50CE2BCBDE3DA8C2CA37A3E6F9914A382E8644C358A679E74F9A5E4E911E975754DA007ED50125FC98895FBBC325155D89C8D2D18E796566354D',1,X'B3846D1027D679DF9EBB1F4E082100F86CE740BD770E29D35C0A22E758C61B913DAC188A42CA71');
CREATE TABLE trail (
	number INTEGER NOT NULL, 
	at VARCHAR(32) NOT NULL, 
	action VARCHAR(64) NOT NULL, 
	details TEXT NOT NULL, 
	mac VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_trail PRIMARY KEY (number)
);
INSERT INTO "trail" VALUES(1,'2026-11-27T02:11:21.142+00:00','watch list imported','{"known":0,"new":3,"watchlist":"staff"}','9dd0dbfbbf16a0311946ab67d4f84d631e82625eb8bcf7e9bb877b9a3ffef84b');
INSERT INTO "trail" VALUES(2,'2026-11-27T02:11:21.150+00:00','audit begun','{"audit":"33da15357c06","checkpoint":"m","subjects":3,"version":1,"watchlist":"staff"}','708c4f614b55884053879331a1616efb02ed1b66f4d81ea051c2f6340ba67e6a');
INSERT INTO "trail" VALUES(3,'2026-11-27T02:11:21.157+00:00','audit ended','{"audit":"33da15357c06","state":"done"}','4fd573a378c4e84666333477b44c22078707f58ae7063f4d750b1ca4a10b0b0c');
CREATE TABLE verdicts (
	audit VARCHAR(12) NOT NULL, 
	subject INTEGER NOT NULL, 
	score DOUBLE, 
	p_decoy DOUBLE, 
	p_gibberish DOUBLE, 
	flags VARCHAR(200) NOT NULL, 
	refused VARCHAR(200), 
	CONSTRAINT pk_verdicts PRIMARY KEY (audit, subject), 
	CONSTRAINT fk_verdicts_audit_audits FOREIGN KEY(audit) REFERENCES audits (id) ON DELETE CASCADE, 
	CONSTRAINT fk_verdicts_subject_subjects FOREIGN KEY(subject) REFERENCES subjects (id) ON DELETE CASCADE
);
INSERT INTO "verdicts" VALUES('33da15357c06',1,1.5,0.25,0.5,'',NULL);
INSERT INTO "verdicts" VALUES('33da15357c06',2,1.5,0.25,0.5,'',NULL);
INSERT INTO "verdicts" VALUES('33da15357c06',4,1.5,0.25,0.5,'',NULL);
CREATE TABLE watchlist_subjects (
	watchlist INTEGER NOT NULL, 
	subject INTEGER NOT NULL, 
	sealed BLOB, 
	CONSTRAINT pk_watchlist_subjects PRIMARY KEY (watchlist, subject), 
	CONSTRAINT fk_watchlist_subjects_watchlist_watchlists FOREIGN KEY(watchlist) REFERENCES watchlists (id) ON DELETE CASCADE, 
	CONSTRAINT fk_watchlist_subjects_subject_subjects FOREIGN KEY(subject) REFERENCES subjects (id) ON DELETE CASCADE
);
INSERT INTO "watchlist_subjects" VALUES(1,2,X'26FCD6017475B15F1A4CBD9E21D39E26521A90FE908CAFD9DEEC6396223CEC1808F22DE81E33E170DE');
INSERT INTO "watchlist_subjects" VALUES(1,1,X'FD57B7BD07B721C7B1D321FE70EB9A016257336720F93896970978C6F6E7F69162D55B6396C65AD39D');
INSERT INTO "watchlist_subjects" VALUES(1,4,X'939110553B5A29D712258CE929BCB7B4304D33FF96EA6E9471138D9B71B1FE78070F5BE258385FA1E8');
CREATE TABLE watchlists (
	id INTEGER NOT NULL, 
	name VARCHAR(100) NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_watchlists PRIMARY KEY (id), 
	CONSTRAINT uq_watchlists_name UNIQUE (name)
);
INSERT INTO "watchlists" VALUES(1,'staff','2026-11-27 02:11:21.139052');
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
