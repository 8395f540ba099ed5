// Reads {files, cases: [{file, data}]} from standard input; prints for each case whether ajv accepts it.

import { readFileSync } from "node:fs";
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

const { files, cases } = JSON.parse(readFileSync(0, "utf-8"));
const ajv = new Ajv2020.default({ strict: false, allErrors: false });
addFormats.default(ajv);
for (const [name, schema] of Object.entries(files)) ajv.addSchema({ ...schema, $id: `catalogue:/${name}` });
console.log(JSON.stringify(cases.map(({ file, data }) => ajv.getSchema(`catalogue:/${file}`)(data))));
