// Asks for the stock in place; without JavaScript the link itself shows the answer.
"use strict";
const link = document.querySelector("a.stock");
const answer = document.querySelector("#stock");
link.addEventListener("click", async (event) => {
  event.preventDefault();
  answer.textContent = "Counting …";
  try {
    const response = await fetch(link.href, { headers: { Accept: "application/json" } });
    const found = await response.json();
    if (response.ok) {
      answer.textContent = `${found.in_stock} in stock, enough for ${found.weeks} weeks.`;
    } else {
      answer.textContent = found.event_id
        ? `We could not find out. The reference is ${found.event_id}.`
        : "We could not find out.";
    }
  } catch {
    answer.textContent = "We could not find out.";
  }
});
