// `node --import ./json.js oracle.js`

import { register } from "node:module";

register("./json-hooks.js", import.meta.url);
