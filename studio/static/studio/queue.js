// The queue, live: progress is shown in its row; where a state changes, the list is fetched anew.
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

  studio.watch(list, (event) => {
    const row = list.querySelector(`[data-dream="${event.id}"]`);
    if (row && row.dataset.is === event.state && !event.moved) studio.show(row, event);
    else if (row || event.state === "queued") timer = timer || setTimeout(() => renew().catch(() => {}), 300);
  });
});
