// The queue, live: what moves is shown in its row; a row that changes its kind is fetched anew.
"use strict";

addEventListener("DOMContentLoaded", () => {
  const list = document.getElementById("dreams");
  let timer = null;

  const renew = async () => {
    timer = null;
    const response = await fetch(location.href);
    if (!response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const focused = document.activeElement && document.activeElement.id;
    list.replaceChildren(...page.getElementById("dreams").children);
    if (focused && document.getElementById(focused)) document.getElementById(focused).focus();
  };

  studio.watch(list, (told) => {
    const row = list.querySelector(`[data-dream="${told.id}"]`);
    if (row && row.dataset.is === told.state && !told.moved) studio.show(row, told);
    else if (row || told.state === "queued") timer = timer || setTimeout(() => renew().catch(() => {}), 300);
  });
});
