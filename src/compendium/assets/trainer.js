/* Agreement between a reader's codes and the coder's, computed in the page. */
"use strict";
for (const form of document.querySelectorAll("form.trainer")) {
  const result = form.querySelector(".trainer-result");
  result.textContent = "";
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const coded = [...form.querySelectorAll("select")].filter((field) => field.value);
    result.replaceChildren();
    const say = (text) => {
      const line = document.createElement("p");
      line.textContent = text;
      result.append(line);
    };
    if (coded.length < 2) {
      say("Code at least two records.");
      return;
    }
    const n = coded.length;
    const count = (pick, value) => coded.filter((field) => pick(field) === value).length;
    const mine = (field) => field.value;
    const theirs = (field) => field.dataset.answer;
    const values = [...new Set(coded.flatMap((field) => [mine(field), theirs(field)]))];
    const same = coded.filter((field) => mine(field) === theirs(field)).length / n;
    let chance = 0;
    let spread = 0;
    for (const value of values) {
      const p = count(mine, value) / n;
      const q = count(theirs, value) / n;
      const mean = (p + q) / 2;
      chance += p * q;
      spread += mean * (1 - mean);
    }
    const kappa = chance < 1 ? (same - chance) / (1 - chance) : NaN;
    const byChance = values.length > 1 ? spread / (values.length - 1) : 1;
    const ac1 = byChance < 1 ? (same - byChance) / (1 - byChance) : NaN;
    const two = (value) => (Number.isNaN(value) ? "not defined" : value.toFixed(2));
    say(`You and ${form.dataset.coder} agree on ${Math.round(same * n)} of ${n} records ` +
      `(${(100 * same).toFixed(0)} %). Cohen's kappa ${two(kappa)}, Gwet's AC1 ${two(ac1)}.`);
    const apart = coded.filter((field) => mine(field) !== theirs(field));
    if (apart.length) {
      const list = document.createElement("ul");
      for (const field of apart) {
        const item = document.createElement("li");
        item.textContent = `${field.id.replace("trainer-", "")}: you ${mine(field)}, ` +
          `${form.dataset.coder} ${theirs(field)}`;
        list.append(item);
      }
      result.append(list);
    }
  });
}
