// Package schema holds the JSON schema of mlbuild.yaml, by which editors complete and check the file. Nothing comes in, the text goes out. The text is made from the decoder's own
// keys and from the tables of docs/mlbuild-yaml.md, by a test of package profiles with -update.
package schema

import _ "embed" // the schema

// URL is where editors find the schema of the newest version.
const URL = "https://raw.githubusercontent.com/mlbuild/mlbuild/main/profiles/schema/mlbuild.schema.json"

// Modeline is the line by which an editor's YAML language server finds the schema of a file.
const Modeline = "# yaml-language-server: $schema=" + URL

// Text is the schema, JSON Schema draft 7.
//
//go:embed mlbuild.schema.json
var Text []byte
