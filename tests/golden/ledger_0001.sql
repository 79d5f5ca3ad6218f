BEGIN TRANSACTION;
CREATE TABLE checkpoints (
	name VARCHAR(100) NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	source TEXT NOT NULL, 
	bound_at DATETIME NOT NULL, 
	CONSTRAINT pk_checkpoints PRIMARY KEY (name)
);
INSERT INTO "checkpoints" VALUES('m','ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff','{"folder":"folder"}','2026-11-25 19:21:15.088829');
CREATE TABLE feature_layouts (
	id INTEGER NOT NULL, 
	family_key VARCHAR(200) NOT NULL, 
	columns TEXT NOT NULL, 
	CONSTRAINT pk_feature_layouts PRIMARY KEY (id), 
	CONSTRAINT uq_feature_layouts_family_key UNIQUE (family_key)
);
INSERT INTO "feature_layouts" VALUES(1,'k','[["noise",1]]');
CREATE TABLE features (
	layout INTEGER NOT NULL, 
	pseudonym VARCHAR(64) NOT NULL, 
	variant VARCHAR(16) NOT NULL, 
	payload BLOB NOT NULL, 
	CONSTRAINT pk_features PRIMARY KEY (layout, pseudonym, variant), 
	CONSTRAINT fk_features_layout_feature_layouts FOREIGN KEY(layout) REFERENCES feature_layouts (id)
);
INSERT INTO "features" VALUES(1,'c07a4b328d015a7ba2526ea00d7ab7b2df299b893c3cdd13ef59e34031cf6c30','3ccd71c1f3f061e5',X'7273B48040DDFE9F196BD8BAD21B2BB0D600BE128E03614E9899099FBCD11206');
CREATE TABLE ledger_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT ledger_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "ledger_version" VALUES('0001');
CREATE TABLE promotions (
	id INTEGER NOT NULL, 
	model VARCHAR(100) NOT NULL, 
	version INTEGER NOT NULL, 
	alias VARCHAR(64) NOT NULL, 
	reason TEXT NOT NULL, 
	moved_at DATETIME NOT NULL, 
	CONSTRAINT pk_promotions PRIMARY KEY (id)
);
INSERT INTO "promotions" VALUES(1,'m',1,'champion','first','2026-11-25 19:21:15.099286');
CREATE TABLE readings (
	id INTEGER NOT NULL, 
	job VARCHAR(64) NOT NULL, 
	read_set VARCHAR(64) NOT NULL, 
	read_at DATETIME NOT NULL, 
	CONSTRAINT pk_readings PRIMARY KEY (id)
);
INSERT INTO "readings" VALUES(1,'job','labelled-test','2026-11-25 19:21:15.093784');
CREATE TABLE selections (
	model VARCHAR(100) NOT NULL, 
	version INTEGER NOT NULL, 
	pseudonym VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_selections PRIMARY KEY (model, version, pseudonym)
);
INSERT INTO "selections" VALUES('m',1,'8344606683fb13ce871e32bc3ade30f02b12adacbb070b3c07b4e976f779318f');
INSERT INTO "selections" VALUES('m',1,'c07a4b328d015a7ba2526ea00d7ab7b2df299b893c3cdd13ef59e34031cf6c30');
CREATE TABLE settings (
	name VARCHAR(64) NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_settings PRIMARY KEY (name)
);
INSERT INTO "settings" VALUES('key_check','ff98ece612474a0ff503d3530442b848e703d854528c7ceb09d377800c18df06');
CREATE INDEX ix_checkpoints_fingerprint ON checkpoints (fingerprint);
CREATE INDEX ix_features_pseudonym ON features (pseudonym);
CREATE INDEX ix_readings_job ON readings (job);
CREATE INDEX ix_promotions_model ON promotions (model);
COMMIT;
