// Colours every .nn file given with VS Code's TextMate engine and compares with a lexer of its own: each keyword,
// number, comment, operation and type name must carry the scope of its kind.
//   node textmate.mjs MODULES GRAMMAR KEYWORDS.def FILE...
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [modules, grammarFile, keywordsFile, ...files] = process.argv.slice(2);
const require = createRequire(join(modules, "node_modules", "x.js"));
const textmate = require("vscode-textmate");
const oniguruma = require("vscode-oniguruma");

await oniguruma.loadWASM(readFileSync(require.resolve("vscode-oniguruma/release/onig.wasm")).buffer);
const registry = new textmate.Registry({
  onigLib: Promise.resolve({
    createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
    createOnigString: (text) => new oniguruma.OnigString(text),
  }),
  loadGrammar: async () => textmate.parseRawGrammar(readFileSync(grammarFile, "utf8"), grammarFile),
});
const grammar = await registry.loadGrammar("source.nn");
const keywords = new Map(
  [...readFileSync(keywordsFile, "utf8").matchAll(/^KEYWORD\(\w+, "(\w+)", "(\w*)"\)/gm)].map((m) => [m[1], m[2]]),
);
if (keywords.size < 10) throw new Error("no keywords read");

let failures = 0, checked = 0;
function expect(file, line, at, text, scopes, wanted) {
  checked++;
  if (scopes.some((scope) => scope.startsWith(wanted))) return;
  failures++;
  console.log(`${file}:${line + 1}:${at + 1}: \`${text}\` should be ${wanted}, is ${scopes.join(" ")}`);
}

for (const file of files) {
  let stack = textmate.INITIAL;
  readFileSync(file, "utf8").split("\n").forEach((text, number) => {
    const { tokens, ruleStack } = grammar.tokenizeLine(text, stack);
    stack = ruleStack;
    const scopesAt = (at) => tokens.find((t) => t.startIndex <= at && at < t.endIndex).scopes;
    // Texts have nothing in them that is coloured by itself.
    const plain = text.replace(/"([^"\\]|\\.)*"/g, (quoted) => " ".repeat(quoted.length));
    const comment = plain.indexOf("//");
    if (comment >= 0) expect(file, number, comment, "//", scopesAt(comment), "comment.line");
    const code = comment >= 0 ? plain.slice(0, comment) : plain;
    for (const m of text.slice(0, code.length).matchAll(/"([^"\\]|\\.)*"/g))
      expect(file, number, m.index + m[0].length - 1, m[0], scopesAt(m.index + m[0].length - 1), "string.quoted");
    for (const m of code.matchAll(/[A-Za-z_]\w*|\d+(\.\d+)?(e-?\d+)?/g)) {
      const word = m[0], roles = keywords.get(word);
      if (/^\d/.test(word)) expect(file, number, m.index, word, scopesAt(m.index), "constant.numeric");
      else if (roles === undefined) {
        if (/^[A-Z]/.test(word) && !/^\s*import/.test(code)) expect(file, number, m.index, word, scopesAt(m.index), "entity.name");
      } else if (roles.includes("V")) expect(file, number, m.index, word, scopesAt(m.index), "constant.language");
      else if (/[DM]/.test(roles) || word === "var") expect(file, number, m.index, word, scopesAt(m.index), "storage.type");
      else expect(file, number, m.index, word, scopesAt(m.index), "keyword.control");
    }
    for (const m of code.matchAll(/\b(sigmoid|tanh|nll|argmax|concat|softmax|split)(?=\()/g))
      expect(file, number, m.index, m[0], scopesAt(m.index), "support.function");
  });
}
console.log(`${checked} checked, ${failures} wrong in ${files.length} files`);
process.exit(failures || checked < 100 ? 1 : 0);
