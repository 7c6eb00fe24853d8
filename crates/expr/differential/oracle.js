// Reads JSON lines {expr, contexts} and prints for each one what GitHub's library makes of it:
// {"value": <encoded>} or {"error": "parse" | "evaluate", "message": ...}. Numbers are encoded as
// {"n": text}, so that NaN and the infinities survive; objects as {"o": [[key, value], ...]}.
import {createInterface} from "node:readline";
import {data, Evaluator, Lexer, Parser} from "@actions/expressions";

const decode = text => JSON.parse(text, data.reviver);

function encode(value) {
  switch (value.kind) {
    case data.Kind.Null:
      return null;
    case data.Kind.Boolean:
    case data.Kind.String:
      return value.value;
    case data.Kind.Number:
      return {n: String(value.value)};
    case data.Kind.Array:
      return value.values().map(encode);
    default:
      return {o: value.pairs().map(pair => [pair.key, encode(pair.value)])};
  }
}

function answer({expr, contexts}) {
  let tree;
  try {
    tree = new Parser(new Lexer(expr).lex().tokens, Object.keys(contexts), []).parse();
  } catch (error) {
    return {error: "parse", message: error.message};
  }
  try {
    const values = decode(JSON.stringify(contexts));
    return {value: tree ? encode(new Evaluator(tree, values).evaluate()) : null};
  } catch (error) {
    return {error: "evaluate", message: error.message};
  }
}

const lines = createInterface({input: process.stdin, crlfDelay: Infinity});
const answers = [];
lines.on("line", line => answers.push(JSON.stringify(answer(JSON.parse(line)))));
lines.on("close", () => process.stdout.write(answers.join("\n") + "\n"));
