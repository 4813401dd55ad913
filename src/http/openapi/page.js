"use strict";
const root = document.documentElement;
const find = document.getElementById("find");
const theme = document.getElementById("theme");
const remembered = (name, value) => {
  // A browser may keep nothing; the page then follows the system.
  try {
    if (value === undefined) return localStorage.getItem(name);
    localStorage.setItem(name, value);
  } catch {
    return null;
  }
};
const dress = (name) => {
  if (name === "light" || name === "dark") root.dataset.theme = name;
};
dress(remembered("xrpayd-theme"));
theme.hidden = false;
theme.addEventListener("click", () => {
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const next = (root.dataset.theme || system) === "dark" ? "light" : "dark";
  dress(next);
  remembered("xrpayd-theme", next);
});
find.hidden = false;
const entries = [...document.querySelectorAll("[data-find]")];
const narrow = () => {
  const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const entry of entries) {
    entry.hidden = !words.every((word) => entry.dataset.find.includes(word));
  }
};
find.addEventListener("input", narrow);
addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== find) {
    event.preventDefault();
    find.focus();
  } else if (event.key === "Escape") {
    find.value = "";
    narrow();
  }
});
