BEGIN TRANSACTION;
CREATE TABLE claim (
	model VARCHAR(200) NOT NULL, 
	partition_key VARCHAR(200) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	run_id VARCHAR(500) NOT NULL, 
	PRIMARY KEY (model, partition_key, digest)
);
INSERT INTO "claim" VALUES('churn','2026-01-05','d1','run 1');
CREATE TABLE deployment (
	model VARCHAR(200) NOT NULL, 
	generation INTEGER NOT NULL, 
	slot_a VARCHAR(300), 
	slot_b VARCHAR(300), 
	share_b INTEGER NOT NULL, 
	champion VARCHAR(300), 
	challenger VARCHAR(300), 
	previous VARCHAR(300), 
	phase VARCHAR(20) NOT NULL, 
	step INTEGER NOT NULL, 
	since_at VARCHAR(40), 
	PRIMARY KEY (model), 
	CONSTRAINT share_is_percent CHECK (share_b >= 0 AND share_b <= 100)
);
INSERT INTO "deployment" VALUES('churn',6,'churn-3-00000003','churn-2-00000002',90,'churn-2-00000002','churn-3-00000003','churn-1-00000001','canary',0,'2026-01-05T12:00:00.000000+00:00');
CREATE TABLE evidence (
	digest VARCHAR(64) NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (digest)
);
INSERT INTO "evidence" VALUES('546034aaa42898417bae6c2f2720ad17ac1d435a5988dbf1eabbaddcbf3b1992','{"errors": 3}');
CREATE TABLE ledger (
	seq INTEGER NOT NULL, 
	model VARCHAR(200) NOT NULL, 
	at VARCHAR(40) NOT NULL, 
	actor TEXT NOT NULL, 
	action VARCHAR(20) NOT NULL, 
	from_release VARCHAR(300), 
	to_release VARCHAR(300), 
	generation INTEGER NOT NULL, 
	reason TEXT NOT NULL, 
	evidence TEXT NOT NULL, 
	previous_hash VARCHAR(64) NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	PRIMARY KEY (seq), 
	CONSTRAINT one_decision_per_generation UNIQUE (model, generation)
);
INSERT INTO "ledger" VALUES(1,'churn','2026-01-05T12:00:00.000000+00:00','ada','proposed',NULL,'churn-1-00000001',1,'new data','[]','0000000000000000000000000000000000000000000000000000000000000000','8cba7b413d5c0b3217043608be84966cba6d9ba950d3337288cf1f504f673148');
INSERT INTO "ledger" VALUES(2,'churn','2026-01-05T12:00:00.000000+00:00','deployer','promoted',NULL,'churn-1-00000001',2,'as it should','[]','8cba7b413d5c0b3217043608be84966cba6d9ba950d3337288cf1f504f673148','e7f17443aa93fb0be415ec3999940ffaa9e5549e97aa0e4a268e3fa06995591b');
INSERT INTO "ledger" VALUES(3,'churn','2026-01-05T12:00:00.000000+00:00','ada','proposed','churn-1-00000001','churn-2-00000002',3,'new data','[]','e7f17443aa93fb0be415ec3999940ffaa9e5549e97aa0e4a268e3fa06995591b','d92fbb9c6cbcc70637186318745594cc8e688034e6ee7436e31d127d92d15b54');
INSERT INTO "ledger" VALUES(4,'churn','2026-01-05T12:00:00.000000+00:00','deployer','promoted','churn-1-00000001','churn-2-00000002',4,'as it should','[]','d92fbb9c6cbcc70637186318745594cc8e688034e6ee7436e31d127d92d15b54','0b209e8117ba4e19eaf9970389b180067a1a233f2c902f5921d5471258b5ed1d');
INSERT INTO "ledger" VALUES(5,'churn','2026-01-05T12:00:00.000000+00:00','ada','proposed','churn-2-00000002','churn-3-00000003',5,'new data','[]','0b209e8117ba4e19eaf9970389b180067a1a233f2c902f5921d5471258b5ed1d','14fb26b570fae8874f97c3d235b1d32c89a21c54b4e5ca22c109c5b68f6a0b91');
INSERT INTO "ledger" VALUES(6,'churn','2026-01-05T12:00:00.000000+00:00','deployer','advanced','churn-2-00000002','churn-3-00000003',6,'as it should','[]','14fb26b570fae8874f97c3d235b1d32c89a21c54b4e5ca22c109c5b68f6a0b91','11e9cb644afd2cd1455f7da021ee0f1a1d62928b19323467b32129873206f9ba');
CREATE TABLE ledger_head (
	seq INTEGER NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	PRIMARY KEY (seq)
);
INSERT INTO "ledger_head" VALUES(6,'11e9cb644afd2cd1455f7da021ee0f1a1d62928b19323467b32129873206f9ba');
CREATE TABLE observation (
	model VARCHAR(200) NOT NULL, 
	generation INTEGER NOT NULL, 
	share_b INTEGER NOT NULL, 
	healthy TEXT NOT NULL, 
	note TEXT NOT NULL, 
	at VARCHAR(40) NOT NULL, 
	PRIMARY KEY (model)
);
INSERT INTO "observation" VALUES('churn',6,90,'["churn-1-00000001", "churn-2-00000002"]','','2026-01-05T12:00:00.000000+00:00');
CREATE TABLE release (
	place INTEGER NOT NULL, 
	id VARCHAR(300) NOT NULL, 
	model VARCHAR(200) NOT NULL, 
	version VARCHAR(100) NOT NULL, 
	target VARCHAR(20) NOT NULL, 
	artifact_uri TEXT NOT NULL, 
	artifact_digest VARCHAR(64) NOT NULL, 
	image_digest VARCHAR(200), 
	bundle TEXT NOT NULL, 
	strategy TEXT NOT NULL, 
	PRIMARY KEY (place), 
	UNIQUE (id)
);
INSERT INTO "release" VALUES(1,'churn-1-00000001','churn','1','process','/releases/churn/1','00000001ffffffffffffffffffffffffffffffffffffffffffffffffffffffff',NULL,'{"code_commit": "abc"}','{"steps": [10, 50, 100], "bake_time": 4.0, "min_requests": 30, "deadline": 60.0, "max_error_rate": 0.01}');
INSERT INTO "release" VALUES(2,'churn-2-00000002','churn','2','process','/releases/churn/2','00000002ffffffffffffffffffffffffffffffffffffffffffffffffffffffff',NULL,'{"code_commit": "abc"}','{"steps": [10, 50, 100], "bake_time": 4.0, "min_requests": 30, "deadline": 60.0, "max_error_rate": 0.01}');
INSERT INTO "release" VALUES(3,'churn-3-00000003','churn','3','process','/releases/churn/3','00000003ffffffffffffffffffffffffffffffffffffffffffffffffffffffff',NULL,'{"code_commit": "abc"}','{"steps": [10, 50, 100], "bake_time": 4.0, "min_requests": 30, "deadline": 60.0, "max_error_rate": 0.01}');
CREATE INDEX ix_release_model ON release (model);
CREATE INDEX ix_ledger_model ON ledger (model);
COMMIT;
